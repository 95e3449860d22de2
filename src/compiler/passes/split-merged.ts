import type { Dim } from '../../ir/dims.ts';
import type { Graph, Node, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { operandsOf } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import { freshNames } from '../graph/names.ts';

/**
 * Takes products with merged weights apart. Where everything that reads a `linear` or `matmul` with a parameter as weight
 * is a slice of its last axis (GPT-2's merged queries, keys and values), each slice becomes a product with a slice of
 * the weight: views of parameters are free, and each part can be computed, kept and cut on its own. The slices must
 * not overlap, so that nothing is computed twice.
 */
export function splitMerged(graph: Graph): Graph {
  const params = new Map(graph.params.map((param) => [param.id, param]));
  const fresh = freshNames(graph);
  const parts = new Map<ValueId, readonly OpNode[]>();
  const users = usersOf(graph);
  for (const node of graph.nodes) {
    if (node.kind !== 'op' || !isProduct(node, params)) continue;
    const slices = slicesOf(node, users);
    if (slices) parts.set(node.id, slices);
  }
  if (parts.size === 0) return graph;
  const taken = new Set([...parts.values()].flat());
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (node.kind === 'op' && taken.has(node)) return [];
    const slices = parts.get(node.id);
    return slices ? slices.flatMap((slice) => partOf(node as OpNode, slice, params, fresh)) : [node];
  });
  return { ...graph, nodes };
}

function usersOf(graph: Graph): ReadonlyMap<ValueId, readonly (Node | undefined)[]> {
  const users = new Map<ValueId, (Node | undefined)[]>();
  const add = (id: ValueId, user: Node | undefined): void => {
    const known = users.get(id);
    if (known) known.push(user);
    else users.set(id, [user]);
  };
  for (const node of graph.nodes) for (const id of operandsOf(node)) add(id, node);
  for (const { value } of graph.outputs) add(value, undefined);
  return users;
}

function isProduct(node: OpNode, params: ReadonlyMap<ValueId, TensorType>): boolean {
  if (node.op !== 'linear' && node.op !== 'matmul') return false;
  const [, weight, bias] = node.operands as [ValueId, ValueId, ValueId?];
  return (
    !node.hints?.noChunk &&
    params.get(weight)?.shape.length === 2 &&
    (bias === undefined || params.has(bias)) &&
    node.shape.length > 1
  );
}

/** The slices that are all that reads a product, if they take apart its last axis without overlap. */
function slicesOf(
  node: OpNode,
  users: ReadonlyMap<ValueId, readonly (Node | undefined)[]>,
): readonly OpNode[] | undefined {
  const slices: OpNode[] = [];
  for (const user of users.get(node.id) ?? []) {
    if (user?.kind !== 'op' || user.op !== 'slice' || user.attrs.axis !== node.shape.length - 1)
      return undefined;
    if (typeof user.attrs.start !== 'number' || typeof user.attrs.length !== 'number') return undefined;
    slices.push(user);
  }
  const from = (slice: OpNode): number => slice.attrs.start as number;
  const to = (slice: OpNode): number => from(slice) + (slice.attrs.length as number);
  const sorted = [...slices].sort((a, b) => from(a) - from(b));
  const apart = sorted.every((slice, i) => i === 0 || to(sorted[i - 1] as OpNode) <= from(slice));
  return slices.length > 0 && apart ? slices : undefined;
}

/** The product that gives one slice, with the views of the parameters it reads. */
function partOf(
  product: OpNode,
  slice: OpNode,
  params: ReadonlyMap<ValueId, TensorType>,
  fresh: (wish: string) => string,
): OpNode[] {
  const [x, weight, bias] = product.operands as [ValueId, ValueId, ValueId?];
  const columns = product.op === 'matmul' || product.attrs.transposed === true;
  const views: OpNode[] = [];
  const part = (id: ValueId, axis: number, name: string): ValueId => {
    const param = params.get(id) as TensorType;
    const { start, length } = slice.attrs;
    const view: OpNode = {
      ...source(product),
      id: fresh(`${slice.id}_${name}`),
      op: 'slice',
      operands: [id],
      attrs: { ...opDef('slice').defaults, axis, start: start as Dim, length: length as Dim },
      ...opDef('slice').infer([param], { axis, start: start as Dim, length: length as Dim }),
    };
    views.push(view);
    return view.id;
  };
  const operands = [x, part(weight, columns ? 1 : 0, 'weight')];
  if (bias !== undefined) operands.push(part(bias, 0, 'bias'));
  const hints = { ...product.hints, ...slice.hints };
  const { symbolic } = slice;
  return [
    ...views,
    {
      ...source(product),
      id: slice.id,
      op: product.op,
      operands,
      attrs: product.attrs,
      shape: slice.shape,
      dtype: slice.dtype,
      ...(symbolic ? { symbolic } : {}),
      ...(Object.keys(hints).length > 0 ? { hints } : {}),
    },
  ];
}

const source = ({ scope, at }: OpNode): Pick<OpNode, 'kind' | 'scope' | 'at'> => ({
  kind: 'op',
  scope,
  ...(at ? { at } : {}),
});
