import type { NodeCut } from '../../ir/flow.ts';
import type { OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { arrange, type Region, usedOutside } from '../loops/region.ts';
import type { GraphIndex } from './graph-index.ts';

/** A region that computes the same as another. */
export interface Repeat {
  readonly region: Region;
  /** From the values of the other region to those of this one. */
  readonly names: ReadonlyMap<ValueId, ValueId>;
}

/**
 * The regions of the graph that compute the same as `region` with other values: same ops, attributes, shapes and
 * wiring, same values used outside. A model of 24 equal layers has 24 of them, `region` included.
 */
export function repeatsOf(index: GraphIndex, region: Region): Repeat[] {
  const ids = [...region.cuts.keys()];
  const last = nodeOf(index, ids.at(-1) as ValueId) as OpNode;
  const taken = new Set<ValueId>(ids);
  const repeats: Repeat[] = [{ region, names: new Map(ids.map((id) => [id, id])) }];
  for (const node of index.graph.nodes) {
    if (node.kind === 'loop' || taken.has(node.id) || !alike(node, last)) continue;
    const match = matchRegion(index, region, ids, node);
    if (!match || [...match.values()].some((id) => taken.has(id))) continue;
    const cuts = new Map(ids.map((id) => [match.get(id) as ValueId, region.cuts.get(id) as NodeCut]));
    const repeat = { cuts: inOrder(index, cuts), extent: region.extent };
    if (!arrange(index, repeat)) continue;
    for (const id of match.values()) taken.add(id);
    repeats.push({ region: repeat, names: match });
  }
  return repeats;
}

const nodeOf = (index: GraphIndex, id: ValueId): OpNode | undefined => {
  const node = index.graph.nodes[index.definedAt.get(id) ?? -1];
  return node?.kind === 'op' ? node : undefined;
};

const inOrder = (index: GraphIndex, cuts: ReadonlyMap<ValueId, NodeCut>): Map<ValueId, NodeCut> =>
  new Map(
    [...cuts].sort(([a], [b]) => (index.definedAt.get(a) as number) - (index.definedAt.get(b) as number)),
  );

/** From the region's nodes to those of the repeat that ends in `last`; undefined when there is none. */
function matchRegion(
  index: GraphIndex,
  region: Region,
  ids: readonly ValueId[],
  last: OpNode,
): Map<ValueId, ValueId> | undefined {
  const match = new Map<ValueId, ValueId>([[ids.at(-1) as ValueId, last.id]]);
  const outer = new Map<ValueId, ValueId>();
  const assign = (a: ValueId, b: ValueId): boolean => {
    const known = match.get(a) ?? outer.get(a);
    if (known !== undefined) return known === b;
    if (region.cuts.has(a)) match.set(a, b);
    else outer.set(a, b);
    return true;
  };
  let waiting = [...ids].reverse();
  while (waiting.length > 0) {
    const id = waiting.find((id) => match.has(id)) ?? waiting.find((id) => joined(index, id, match));
    if (id === undefined) return undefined;
    waiting = waiting.filter((other) => other !== id);
    const node = nodeOf(index, id) as OpNode;
    const other = nodeOf(index, match.get(id) ?? (joined(index, id, match) as ValueId));
    if (!other || !alike(node, other)) return undefined;
    match.set(id, other.id);
    for (const [k, operand] of node.operands.entries()) {
      const read = other.operands[k] as ValueId;
      if (!sameType(index.types.get(operand) as TensorType, index.types.get(read) as TensorType))
        return undefined;
      if (!assign(operand, read)) return undefined;
    }
  }
  const values = new Set(match.values());
  if (values.size !== ids.length) return undefined;
  const other = {
    cuts: new Map([...values].map((id) => [id, { axis: 0, multiple: 1 }])),
    extent: region.extent,
  };
  const sameUse = ids.every(
    (id) => usedOutside(index, region, id) === usedOutside(index, other, match.get(id) as ValueId),
  );
  const crossed = [...outer.values()].some((id) => values.has(id));
  return sameUse && !crossed ? match : undefined;
}

/** The counterpart of a node that no matched node reads: found through an operand it shares with a matched one. */
function joined(index: GraphIndex, id: ValueId, match: ReadonlyMap<ValueId, ValueId>): ValueId | undefined {
  const node = nodeOf(index, id) as OpNode;
  for (const [k, operand] of node.operands.entries()) {
    const other = match.get(operand);
    if (other === undefined) continue;
    const users = (index.usedAt.get(other) ?? []).flatMap((position) => index.graph.nodes[position] ?? []);
    const same = users.filter(
      (user): user is OpNode => user.kind === 'op' && alike(user, node) && user.operands[k] === other,
    );
    if (same.length === 1) return same[0]?.id;
  }
  return undefined;
}

const alike = (a: OpNode, b: OpNode): boolean => a === b || kindOf(a) === kindOf(b);

const kinds = new WeakMap<OpNode, string>();

/** Text that nodes share that compute the same of operands of the same types. */
function kindOf(node: OpNode): string {
  let kind = kinds.get(node);
  if (kind === undefined) {
    const { op, operands, dtype, shape, attrs, hints } = node;
    kind = JSON.stringify([op, operands.length, dtype, shape, attrs, hints?.noChunk]);
    kinds.set(node, kind);
  }
  return kind;
}

const sameType = (a: TensorType, b: TensorType): boolean =>
  a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((dim, i) => dim === b.shape[i]);
