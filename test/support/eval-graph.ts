import { type Bindings, evalDim, evalShape } from '../../src/ir/dims.ts';
import { type Attrs, type AttrValue, type Graph, isTextAttr } from '../../src/ir/node.ts';
import { opDef } from '../../src/ir/ops/index.ts';
import type { RefTensor } from '../../src/ir/ops/op.ts';

/** Any row-major tensor. */
export interface PlainTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/**
 * Runs a graph without loops in float64, op by op, through the reference implementations.
 *
 * @param inputs by input id
 * @param params by parameter key
 * @returns outputs by name
 */
export function evalGraph(
  graph: Graph,
  dims: Bindings,
  inputs: Readonly<Record<string, PlainTensor>>,
  params: ReadonlyMap<string, PlainTensor>,
): Record<string, RefTensor> {
  const values = new Map<string, RefTensor>();
  const load = (id: string, tensor: PlainTensor | undefined): void => {
    if (!tensor) throw new Error(`no tensor for ${id}`);
    values.set(id, { shape: tensor.shape, data: Float64Array.from(tensor.data) });
  };
  for (const { id } of graph.inputs) load(id, inputs[id]);
  for (const { id, key } of graph.params) load(id, params.get(key));
  for (const node of graph.nodes) {
    if (node.kind !== 'op') throw new Error(`${node.id} is a loop`);
    const operands = node.operands.map((id) => values.get(id) as RefTensor);
    const shape = evalShape(node.shape, dims);
    const data = opDef(node.op).reference(operands, bindAttrs(node.attrs, dims), shape);
    values.set(node.id, { shape, data });
  }
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, values.get(value) as RefTensor]));
}

function bindAttrs(attrs: Attrs, dims: Bindings): Attrs {
  const bind = (value: AttrValue): AttrValue =>
    typeof value === 'boolean' || isTextAttr(value)
      ? value
      : typeof value === 'object'
        ? value.map((dim) => evalDim(dim, dims))
        : evalDim(value, dims);
  return Object.fromEntries(Object.entries(attrs).map(([name, value]) => [name, bind(value)]));
}
