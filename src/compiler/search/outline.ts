import { sameShape } from '../../ir/dims.ts';
import { bordersOf, describeCut, isContraction, type NodeCut, sameCut } from '../../ir/flow.ts';
import type { LoopResult, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import { loopCost, sharesOf, workOf } from '../cost/cost.ts';
import type { Weights } from '../cost/cost-model.ts';
import { overwritable } from '../graph/graph-index.ts';
import { arrange, flowOf, type Region, usedOutside } from '../loops/region.ts';
import { bytesOf } from '../memory/estimate.ts';
import type { Place } from '../memory/place.ts';
import { readsIn } from '../memory/reads.ts';
import { bytesBetween, diesIn, type State } from '../memory/state.ts';
import type { Growth } from './evaluate.ts';

/**
 * What a loop over a region takes, read off the storages of the graph without the loop: nothing is built or lowered.
 * Copies that only a loop needs are not seen, so outlines rank regions; the best ones are evaluated exactly.
 */
export interface Outline {
  readonly region: Region;
  /** Live bytes around the body. */
  readonly fixedBytes: number;
  /** Live bytes of the body. */
  readonly body: readonly Growth[];
  readonly kernels: number;
  readonly costAt: (chunkSize: number) => number;
  /** Regions with the same key run the same kernels; they differ in views. */
  readonly key: string;
}

/** Undefined when the region is not convex, and where its loop takes more than `limit` bytes whatever its chunks are. */
export function outline(
  state: State,
  region: Region,
  weights: Weights,
  limit = Number.POSITIVE_INFINITY,
): Outline | undefined {
  const first = state.index.definedAt.get(region.cuts.keys().next().value as ValueId) as number;
  const nodes = interval(state, region, first);
  const arrangement = nodes ? undefined : arrange(state.index, region);
  const inside = nodes ?? arrangement?.inside;
  if (!inside) return undefined;
  const aroundBytes = arrangement ? bytesBetween(state, arrangement) : (state.before[first] as number);
  // Results that are not written over something come on top.
  if (aroundBytes > limit) return undefined;
  let body = bodies.get(region);
  if (!body) {
    body = outlineBody(state, region, inside);
    bodies.set(region, body);
  }
  const fixedBytes = aroundBytes + body.resultBytes - overwrittenBytes(state, body, first);
  if (fixedBytes > limit) return undefined;
  const { results, kernels, key } = body;
  const loop = { slices: [], results, extent: region.extent };
  return {
    region,
    fixedBytes,
    body: body.bytes,
    kernels: kernels.length,
    costAt: (chunkSize) =>
      loopCost(
        kernels,
        loop,
        kernels.length,
        chunkSize,
        state.index.types,
        weights,
        sharesOf(region, chunkSize, state.index.types),
      ).total,
    key,
  };
}

/** The nodes of a region that leaves none out from its first to its last: nothing moves to make room for its loop. */
function interval({ index }: State, { cuts }: Region, first: number): readonly OpNode[] | undefined {
  const { nodes } = index.graph;
  const stop = first + cuts.size;
  for (let position = first; position < stop; position++) {
    const node = nodes[position];
    if (node?.kind !== 'op' || !cuts.has(node.id)) return undefined;
  }
  return nodes.slice(first, stop) as readonly OpNode[];
}

/** What does not depend on the loops around a region; what few regions are asked for is made when it is. */
interface Body extends Pick<Outline, 'key'> {
  readonly bytes: readonly Growth[];
  readonly kernels: readonly OpNode[];
  readonly results: readonly LoopResult[];
  /** Results that are those of a loop around are written where they belong. */
  readonly resultBytes: number;
  readonly last: OpNode;
  /** For every result of a loop that is not in another the values that it could be written over. */
  readonly overwritten: readonly { readonly result: LoopResult; readonly operands: readonly ValueId[] }[];
}

const bodies = new WeakMap<Region, Body>();

function outlineBody(state: State, region: Region, inside: readonly OpNode[]): Body {
  const { index } = state;
  const carried = new Set<ValueId>();
  const results = inside.flatMap(({ id, shape, dtype }): LoopResult[] => {
    const cut = region.cuts.get(id) as NodeCut;
    if (isContraction(cut)) carried.add(id);
    else if (usedOutside(index, region, id)) return [{ kind: 'concat', id, value: id, shape, dtype, ...cut }];
    return [];
  });
  const bytesOfAll = (ids: readonly ValueId[]): number =>
    ids.reduce((sum, id) => sum + bytesOf((index.types.get(id) as TensorType).shape, {}), 0);
  const written = new Set([...results.map(({ id }) => id), ...carried]);
  const last = inside.at(-1) as OpNode;
  let bytes: readonly Growth[] | undefined;
  let kernels: readonly OpNode[] | undefined;
  return {
    last,
    results,
    resultBytes: bytesOfAll([...written].filter((id) => !state.around.results?.of.has(id))),
    overwritten: state.around.results
      ? []
      : results.map((result) => ({ result, operands: slicedLike(state, region, inside, result) })),
    get kernels() {
      kernels ??= inside.filter((node) => workOf(node, index.types).elements > 0);
      return kernels;
    },
    get bytes() {
      bytes ??= [mostLive(state, region, inside, written)];
      return bytes;
    },
    get key() {
      const ids = this.kernels.map(({ id }) => id).join(' ');
      return `${ids} ${region.extent} ${describeCut(region.cuts.get(last.id) as NodeCut)}`;
    },
  };
}

/** Most live bytes of the nodes but for what they read from outside and what they write to results. */
function mostLive(
  state: State,
  region: Region,
  inside: readonly OpNode[],
  written: ReadonlySet<ValueId>,
): Growth {
  const { types } = state.index;
  const reads = readsIn(inside, () => false);
  /** The storages that values are seen in, where they are of the nodes' own. */
  const roots = new Map<ValueId, ValueId>();
  const pending = new Map<ValueId, number>();
  let live = 0;
  let borders = 0;
  const count = (root: ValueId, sign: 1 | -1): void => {
    const { shape } = types.get(root) as OpNode;
    const bytes = sign * bytesOf(shape, {});
    live += bytes;
    borders += bytes * borderShare(region.cuts.get(root) as NodeCut, shape);
  };
  let most: Growth = { fixed: 0, perUnit: 0 };
  for (const node of inside) {
    const read = new Set(node.operands.flatMap((id) => roots.get(id) ?? []));
    for (const id of node.operands) {
      const root = roots.get(id);
      if (root !== undefined) pending.set(root, (pending.get(root) as number) - 1);
    }
    let root: ValueId | undefined;
    if (!written.has(node.id)) {
      const isView = opDef(node.op).layout !== undefined;
      const over = isView ? [0] : overwritable(node, types);
      root = over.flatMap((i) => roots.get(node.operands[i] as ValueId) ?? [])[0];
      if (root !== undefined && !isView && pending.get(root) !== 0) root = undefined;
      if (root === undefined && !isView) {
        root = node.id;
        count(root, 1);
      }
    }
    if (root !== undefined) {
      roots.set(node.id, root);
      pending.set(root, (pending.get(root) ?? 0) + (reads.times.get(node.id) ?? 0));
      read.add(root);
    }
    const now = { fixed: borders, perUnit: (live + scratchBytes(state, node)) / region.extent };
    if (now.fixed + now.perUnit > most.fixed + most.perUnit) most = now;
    for (const dead of read) if (pending.get(dead) === 0) count(dead, -1);
  }
  return most;
}

/** The borders that every chunk of a value has, as a share of the value. */
function borderShare(cut: NodeCut, shape: OpNode['shape']): number {
  if (isContraction(cut)) return 0;
  const { before, after } = bordersOf(cut);
  return before + after === 0 ? 0 : (before + after) / (shape[cut.axis] as number);
}

/** The values from outside that are read in the parts in which a result of their type is written. */
function slicedLike(
  { index }: State,
  region: Region,
  inside: readonly OpNode[],
  { axis, multiple, shape, dtype }: LoopResult,
): ValueId[] {
  const found = new Set<ValueId>();
  for (const node of inside) {
    const cut = region.cuts.get(node.id) as NodeCut;
    if (isContraction(cut)) continue;
    const { operands } = flowOf(node, cut, index.types);
    for (const [i, id] of node.operands.entries()) {
      const type = index.types.get(id);
      const alike = type && type.dtype === dtype && sameShape(type.shape, shape);
      if (alike && !region.cuts.has(id) && sameCut(operands[i], { axis, multiple })) found.add(id);
    }
  }
  return [...found];
}

/** Bytes of results that are written over operands that die in the loop. */
function overwrittenBytes(state: State, { overwritten, last: { id } }: Body, first: number): number {
  const last = state.index.definedAt.get(id) as number;
  const taken = new Set<ValueId>();
  let bytes = 0;
  for (const { result, operands } of overwritten) {
    const storage = operands
      .map((id) => (state.places.get(id) as Place).storage)
      .find((storage) => !taken.has(storage) && diesIn(state, storage, first, last));
    if (storage === undefined) continue;
    taken.add(storage);
    bytes += bytesOf(result.shape, {});
  }
  return bytes;
}

/** Bytes a kernel takes while it runs. */
function scratchBytes({ index, groups, sizes }: State, { id }: OpNode): number {
  let bytes = 0;
  for (const step of groups[index.definedAt.get(id) as number] ?? []) {
    if (step.kind === 'alloc' && step.role === 'scratch') bytes += sizes.get(step.value) as number;
  }
  return bytes;
}
