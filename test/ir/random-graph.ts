import fc from 'fast-check';
import type { Shape } from '../../src/ir/dims.ts';
import type {
  Attrs,
  Graph,
  GraphInput,
  GraphParam,
  Hints,
  Node,
  OpNode,
  TensorType,
} from '../../src/ir/node.ts';
import { opDef } from '../../src/ir/ops/index.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '"', '\\', '*/', '\n', '\u2028', '__proto__'),
);
const location = fc.record({ file: text, line: fc.nat(), column: fc.nat() }, { noNullPrototype: true });
const hints: fc.Arbitrary<Hints> = fc.record(
  { noChunk: fc.boolean(), preferChunk: text, region: text },
  { requiredKeys: [], noNullPrototype: true },
);
const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-0, 1e21, 1e-7, Number.NaN, -Infinity));

interface Step {
  readonly pick: number;
  readonly op: number;
  readonly value: number;
  readonly scope: string;
  readonly at: { file: string; line: number; column: number } | undefined;
  readonly hints: Hints | undefined;
  readonly symbolic: boolean;
  readonly loop: boolean;
  readonly chunk: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  pick: fc.nat(),
  op: fc.nat(),
  value: number,
  scope: text,
  at: fc.option(location, { nil: undefined }),
  hints: fc.option(hints, { nil: undefined }),
  symbolic: fc.boolean(),
  loop: fc.boolean(),
  chunk: fc.nat(),
});

/** An op that takes a matrix, its attributes chosen by a number. */
const MATRIX_OPS: readonly ((x: Shape, value: number) => [string, Attrs])[] = [
  () => ['neg', {}],
  (_x, value) => ['mulScalar', { value }],
  () => ['softmax', { axis: 1 }],
  () => ['gelu', { tanh: true }],
  () => ['permute', { axes: [1, 0] }],
  () => ['sum', { axis: 1, keepdims: true }],
  (x) => ['expand', { shape: [3, ...x] }],
  () => ['slice', { axis: 1, start: 0, length: 1 }],
];

function node(id: string, source: TensorType & { id: string }, s: Step): OpNode {
  const usable = source.shape.length === 2 ? MATRIX_OPS : MATRIX_OPS.slice(0, 2);
  const [op, attrs] = (usable[s.op % usable.length] as (typeof MATRIX_OPS)[number])(source.shape, s.value);
  const type = opDef(op).infer([source], attrs);
  return {
    kind: 'op',
    id,
    op,
    operands: [source.id],
    attrs,
    scope: s.scope,
    ...type,
    ...(s.at ? { at: s.at } : {}),
    ...(s.hints ? { hints: s.hints } : {}),
    ...(s.symbolic ? { symbolic: type.shape } : {}),
  };
}

/** Valid graphs over real ops, some of them with loops, and with the strangest strings a model could bring along. */
export const randomGraph: fc.Arbitrary<Graph> = fc
  .record({
    name: text,
    keys: fc.array(text, { maxLength: 3 }),
    steps: fc.array(step, { maxLength: 12 }),
    output: text,
  })
  .map(({ name, keys, steps, output }) => {
    const inputs: GraphInput[] = [
      { id: 'x', shape: ['N', 'M'], dtype: 'f32' },
      { id: 'input', shape: [7, 5], dtype: 'f32' },
      { id: 'ids', shape: ['2*N+1'], dtype: 'i32', below: 11 },
    ];
    const params: GraphParam[] = keys.map((key, i) => ({
      id: `param_${i}`,
      key,
      shape: [7, 'M'],
      dtype: 'f32',
    }));
    const values: (TensorType & { id: string })[] = [...inputs, ...params];
    const nodes: Node[] = [];
    steps.forEach((s, i) => {
      const source = values[s.pick % values.length] as TensorType & { id: string };
      const extent = source.shape[0];
      if (s.loop && source.shape.length === 2 && extent === 7) {
        const slice = {
          id: `cut${i}`,
          dtype: source.dtype,
          shape: [`n${i}`, source.shape[1] as number | string],
        };
        const body = { ...node(`body${i}`, slice, { ...s, op: s.op % 4 }) };
        const result = { id: `y${i}`, dtype: body.dtype, shape: [7, ...body.shape.slice(1)] };
        nodes.push({
          kind: 'loop',
          carries: [],
          id: `loop${i}`,
          over: name,
          extent: 7,
          chunkSize: 1 + (s.chunk % 7),
          start: `n${i}_0`,
          length: `n${i}`,
          halos: [],
          slices: [{ operand: source.id, as: slice.id, axis: 0, multiple: 1 }],
          whole: [],
          body: { name, dims: [], inputs: [slice], params: [], nodes: [body], outputs: [] },
          results: [{ kind: 'concat', value: body.id, axis: 0, multiple: 1, ...result }],
          scope: s.scope,
        });
        values.push(result);
      } else {
        // Names that the text format uses too.
        const id = ['output', 'loop', 'symbolic', 'hints', 'at', 'dims'][i] ?? `y${i}`;
        const made = node(id, source, s);
        nodes.push(made);
        values.push(made);
      }
    });
    return {
      name,
      dims: ['N', 'M'],
      inputs,
      params,
      nodes,
      outputs: [{ name: output, value: (values.at(-1) as TensorType & { id: string }).id }],
    };
  });
