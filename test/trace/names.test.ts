import {
  add,
  defineModel,
  exp,
  f32,
  log,
  matmul,
  mul,
  neg,
  nn,
  scope,
  split,
  type Tensor,
  trace,
  transpose,
} from 'autochunk';
import { expect, test } from 'vitest';
import { identifierFrom, NameSpace } from '../../src/trace/names.ts';

function half(x: Tensor<['N', 4]>) {
  return mul(x, 0.5);
}

const model = defineModel('names', { x: f32('N', 4) }, ({ x }) => {
  const scores = matmul(x, transpose(x, 0, 1));
  const typed: Tensor<['N', 'N']> = neg(scores);
  let again = exp(typed);
  again = log(again);
  const onTheNextLine =
    // a comment between
    add(again, 1);
  const [left, right] = split(x, [2, 2], 1);
  const k = exp(left);
  const device = log(right);
  const nested = add(exp(scores), log(onTheNextLine));
  const record = { named: neg(k), other: neg(device) };
  const chosen = x.shape.length > 1 ? exp(nested) : nested;
  const helped = half(x);
  const layer = scope('mlp', () => nn.linear('fc', helped, 4));
  return { ...record, chosen, out: half(add(nn.layerNorm('ln', layer), x)) };
});

test('values are named after the variables of the source', () => {
  const graph = trace(model);
  const names = graph.nodes.map((node) => (node.kind === 'op' ? `${node.id} = ${node.op}` : node.id));
  expect(names).toMatchInlineSnapshot(`
    [
      "permute = permute",
      "scores = matmul",
      "typed = neg",
      "again = exp",
      "again_1 = log",
      "onTheNextLine = addScalar",
      "left = slice",
      "right = slice",
      "k_ = exp",
      "device_ = log",
      "exp = exp",
      "log = log",
      "nested = add",
      "named = neg",
      "other = neg",
      "exp_1 = exp",
      "mul = mulScalar",
      "layer = linear",
      "ln = layerNorm",
      "add = add",
      "mul_1 = mulScalar",
    ]
  `);
});

test('source locations are those of the source', () => {
  const [first, second] = trace(model).nodes;
  expect(first).toMatchObject({ at: { file: 'test/trace/names.test.ts', line: 25, column: 28 } });
  expect(second).toMatchObject({ at: { file: 'test/trace/names.test.ts', line: 25, column: 18 } });
});

test('tracing twice gives the same graph', () => {
  expect(trace(model)).toEqual(trace(model));
});

test('names are identifiers, unique, and none that generated code uses', () => {
  expect(['h.0.attn', '0', 'class', 'k', 'a-b', 'größe', '', '__', '$x', '_y'].map(identifierFrom)).toEqual([
    'h_0_attn',
    '_0',
    'class_',
    'k_',
    'a_b',
    'gro_e',
    'value',
    '__',
    '$x',
    '_y',
  ]);
  const names = new NameSpace();
  expect(['a', 'a', 'a_1', 'a', 'k', 'k'].map((name) => names.claim(name))).toEqual([
    'a',
    'a_1',
    'a_1_1',
    'a_2',
    'k_',
    'k__1',
  ]);
});
