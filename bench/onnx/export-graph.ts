import { UnsupportedError } from '../../src/errors.ts';
import { evalShape } from '../../src/ir/dims.ts';
import type { Graph, TensorType, ValueId } from '../../src/ir/node.ts';
import { type Attention, findAttentions } from './attention.ts';
import { Builder, bytesOf } from './builder.ts';
import type { ElementType, OnnxModel } from './encode.ts';
import { type Operand, translateOp } from './ops.ts';

/** How attention is written: as the products and the softmax that it is, or as the fused op of ONNX Runtime. */
export type AttentionForm = 'ops' | 'fused';

/** Operator sets: the standard one that has Gelu, and ONNX Runtime's own. */
const OPSETS = { '': 20, 'com.microsoft': 1 } as const;
const TYPES = { f32: 'float32', i32: 'int32' } as const satisfies Record<TensorType['dtype'], ElementType>;

/**
 * A specialised graph without loops as an ONNX model. Parameters are named by their keys, inputs by their ids, outputs as
 * in the model; i32 values are int32.
 *
 * @param params elements of every parameter, by value id
 * @throws UnsupportedError naming an op that has no translation
 */
export function exportGraph(
  graph: Graph,
  params: Readonly<Record<ValueId, Float32Array>>,
  { attention = 'ops' }: { readonly attention?: AttentionForm } = {},
): OnnxModel {
  const to = new Builder();
  const values = new Map<ValueId, Operand>();
  const define = (id: ValueId, name: string, { shape, dtype }: TensorType): void => {
    values.set(id, { name, shape: evalShape(shape, {}), dtype });
  };
  const operandOf = (id: ValueId): Operand => values.get(id) as Operand;

  for (const input of graph.inputs) define(input.id, to.name(input.id), input);
  const inputs = graph.inputs.map(({ id }) => operandOf(id));
  const initializers = graph.params.map((param) => {
    define(param.id, to.name(param.key), param);
    const { name, shape } = operandOf(param.id);
    const bytes = bytesOf(params[param.id] as Float32Array);
    return { name, type: TYPES[param.dtype], shape, bytes };
  });

  const attentions: ReadonlyMap<ValueId, Attention> =
    attention === 'fused' ? findAttentions(graph) : new Map();
  const inside = new Set([...attentions.values()].flatMap((found) => found.inside));
  for (const node of graph.nodes) {
    if (node.kind !== 'op') throw new UnsupportedError(`${node.id}: loops have no translation to ONNX`);
    if (inside.has(node.id)) continue;
    const found = attentions.get(node.id);
    const name = found
      ? multiHeadAttention(found, operandOf, to)
      : translateOp(node, node.operands.map(operandOf), to);
    if (name === undefined)
      throw new UnsupportedError(`${node.op} (${node.id}): this op has no translation to ONNX`);
    define(node.id, name, node);
  }
  const outputs = graph.outputs.map(({ name, value }) => {
    const { name: from, shape, dtype } = operandOf(value);
    const output = to.name(name);
    to.nodes.push({ op: 'Identity', domain: '', inputs: [from], outputs: [output], attributes: {} });
    return { name: output, type: TYPES[dtype], shape };
  });
  return {
    name: graph.name,
    opsets: OPSETS,
    nodes: to.nodes,
    initializers: [...initializers, ...to.initializers],
    inputs: inputs.map(({ name, shape, dtype }) => ({ name, type: TYPES[dtype], shape })),
    outputs,
  };
}

/** ONNX Runtime's own op: it takes [batch, N, heads · channels], and scores that are scaled already. */
function multiHeadAttention(found: Attention, operandOf: (id: ValueId) => Operand, to: Builder): string {
  const queries = operandOf(found.queries);
  const [heads, length] = queries.shape.slice(-3, -1) as [number, number];
  /** With a batch in front; heads and positions in the order that the op wants. */
  const rows = (id: ValueId, perm: readonly number[]): string => {
    const { name, shape } = operandOf(id);
    const batched = shape.length === 4 ? name : to.add('Unsqueeze', [name, to.int64([0])]);
    const ordered = to.add('Transpose', [batched], { perm: { ints: perm } });
    return to.add('Reshape', [ordered, to.int64([0, 0, -1])]);
  };
  const biases = found.biases.map(operandOf);
  const bias = biases.reduce<string | undefined>(
    (sum, { name }) => (sum === undefined ? name : to.add('Add', [sum, name])),
    undefined,
  );
  const merged = to.add(
    'MultiHeadAttention',
    [
      rows(found.queries, [0, 2, 1, 3]),
      rows(found.keysTransposed, [0, 3, 1, 2]),
      rows(found.values, [0, 2, 1, 3]),
      ...(bias === undefined ? [] : ['', '', bias]),
    ],
    { num_heads: { int: heads }, scale: { float: 1 }, unidirectional: { int: found.causal ? 1 : 0 } },
    'com.microsoft',
  );
  const perHead = to.add('Reshape', [merged, to.int64([0, length, heads, -1])]);
  const context = to.add('Transpose', [perHead], { perm: { ints: [0, 2, 1, 3] } });
  return queries.shape.length === 4 ? context : to.add('Squeeze', [context, to.int64([0])]);
}
