import {
  add,
  defineModel,
  defineOp,
  f32,
  i32,
  isModel,
  linear,
  matmul,
  mul,
  nn,
  noChunk,
  param,
  preferChunk,
  range,
  region,
  scope,
  type Tensor,
  trace,
  UserError,
} from 'autochunk';
import { describe, expect, test } from 'vitest';
import { hasOp, opDef } from '../../src/ir/ops/index.ts';
import { lines, ops, traced } from './support.ts';

/** The message of the error that `body` throws. */
function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message.replace(/\.ts:\d+:\d+/g, '.ts:L:C');
  }
  throw new Error('expected an error');
}

describe('scopes and parameters', () => {
  test('scopes give parameters their state-dict names', () => {
    const graph = traced({ x: f32('N', 4) }, ({ x }) => {
      let y = x;
      for (const i of range(2)) {
        y = scope(`h.${i}`, () =>
          scope('mlp', () => nn.linear('fc', nn.rmsNorm('norm', y), 4, { bias: false })),
        );
      }
      return nn.layerNorm('ln_f', y, { epsilon: 1e-12 });
    });
    expect(graph.params.map(({ id, key }) => `${id} ← ${key}`)).toEqual([
      'h_0_mlp_norm_weight ← h.0.mlp.norm.weight',
      'h_0_mlp_fc_weight ← h.0.mlp.fc.weight',
      'h_1_mlp_norm_weight ← h.1.mlp.norm.weight',
      'h_1_mlp_fc_weight ← h.1.mlp.fc.weight',
      'ln_f_weight ← ln_f.weight',
      'ln_f_bias ← ln_f.bias',
    ]);
    expect(ops(graph).map((node) => node.scope)).toEqual([
      'h.0.mlp.norm',
      'h.0.mlp.fc',
      'h.1.mlp.norm',
      'h.1.mlp.fc',
      'ln_f',
    ]);
  });

  test('asking for the same key again ties the weights', () => {
    const graph = traced({ tokens: i32('N') }, ({ tokens }) => {
      const x = nn.embedding('wte', tokens, [50, 8]);
      return linear(x, param('wte.weight', [50, 8]));
    });
    expect(graph.params.map(({ key }) => key)).toEqual(['wte.weight']);
    expect(lines(graph)).toEqual([
      'x = embedding(wte_weight, tokens) : f32[N, 8]',
      'linear = linear(x, wte_weight) {transposed: false} : f32[N, 50]',
    ]);
    expect(graph.inputs).toEqual([{ id: 'tokens', shape: ['N'], dtype: 'i32', below: 50 }]);
  });

  test('with another shape both places are named', () => {
    const message = messageOf(() =>
      traced({ x: f32('N', 8) }, ({ x }) => {
        const y = scope('a', () => linear(x, param('weight', [8, 8])));
        return linear(y, param('a.weight', [4, 8]));
      }),
    );
    expect(message).toMatchInlineSnapshot(`
      "param "a.weight": declared as [8, 8] at test/dsl/model.test.ts:L:C, now as [4, 8]; tied parameters must have one shape
        at test/dsl/model.test.ts:L:C"
    `);
  });

  test('bad names and shapes', () => {
    const model = (body: (x: Tensor<['N', 8]>) => unknown) => () =>
      traced({ x: f32('N', 8) }, ({ x }) => {
        body(x);
        return x;
      });
    expect([
      messageOf(model(() => param('', [1]))),
      messageOf(model(() => param('w', [0]))),
      messageOf(model(() => param('w', ['N-', 2]))),
      messageOf(model(() => scope('', () => 1))),
      messageOf(model(() => scope('s', async () => 1))),
    ]).toMatchInlineSnapshot(`
      [
        "param: expected a name, got an empty string
        at test/dsl/model.test.ts:L:C",
        "param "w": expected positive integers and dimension names such as 'N', got 0 in [0]
        at test/dsl/model.test.ts:L:C",
        "param "w": expected positive integers and dimension names such as 'N', got "N-" in [N-, 2]
        at test/dsl/model.test.ts:L:C",
        "scope: expected a name, got ""
        at test/dsl/model.test.ts:L:C",
        "scope "s": expected a plain function, got an async one; models are traced synchronously
        at test/dsl/model.test.ts:L:C, in scope s",
      ]
    `);
  });
});

describe('messages carry the call site and the scope', () => {
  test('shapes that do not fit', () => {
    const message = messageOf(() =>
      traced({ x: f32('N', 768), y: f32('N', 512) }, ({ x, y }) =>
        scope('h.0', () => scope('attn', () => add(x, y as unknown as Tensor<['N', 768]>))),
      ),
    );
    expect(message).toMatchInlineSnapshot(`
      "add: cannot broadcast [N, 768] with [N, 512]
        at test/dsl/model.test.ts:L:C, in scope h.0.attn"
    `);
  });

  test('shapes that the types do not know', () => {
    const width: number = 12;
    const model = (body: (x: Tensor<['N', 768]>) => Tensor) => () =>
      traced({ x: f32('N', 768) }, ({ x }) => body(x));
    expect([
      messageOf(model((x) => matmul(x, param('w', [width, 4])))),
      messageOf(model((x) => add(x, param('b', [width])))),
      messageOf(model((x) => nn.linear('fc', x, 2.5))),
      messageOf(model((x) => mul(x, Number.POSITIVE_INFINITY))),
      messageOf(model(() => mul(2, 3) as never)),
      messageOf(model((x) => add(x, undefined as never))),
    ]).toMatchInlineSnapshot(`
      [
        "matmul: contracted extents differ: [N, 768] · [12, 4]
        at test/dsl/model.test.ts:L:C",
        "add: cannot broadcast [N, 768] with [12]
        at test/dsl/model.test.ts:L:C",
        "param "fc.weight": expected positive integers and dimension names such as 'N', got 2.5 in [2.5, 768]
        at test/dsl/model.test.ts:L:C, in scope fc",
        "mul: expected a finite float32 number, got Infinity; the largest is 3.4028234663852886e38
        at test/dsl/model.test.ts:L:C",
        "mul: expected a tensor, got the numbers 2 and 3
        at test/dsl/model.test.ts:L:C",
        "add: expected a tensor of this model, got undefined
        at test/dsl/model.test.ts:L:C",
      ]
    `);
  });

  test('errors of the model itself', () => {
    const cause = new RangeError('no such layer');
    const run = () =>
      traced({ x: f32('N') }, ({ x }) =>
        scope('h.3', () => {
          if (x.shape.length === 1) throw cause;
          return x;
        }),
      );
    expect(messageOf(run)).toMatchInlineSnapshot(`
      "model m failed: RangeError: no such layer
        at test/dsl/model.test.ts:L:C, in scope h.3"
    `);
    expect(run).toThrow(expect.objectContaining({ cause }));
  });

  test('ops outside a model', () => {
    expect(messageOf(() => param('w', [1]))).toMatchInlineSnapshot(`
      "param: no model is being traced; call tensor operations inside the forward function of defineModel
        at test/dsl/model.test.ts:L:C"
    `);
  });

  test('tensors of another model', () => {
    let kept: Tensor<['N']> | undefined;
    traced({ x: f32('N') }, ({ x }) => {
      kept = x;
      return x;
    });
    expect(
      messageOf(() => traced({ x: f32('N') }, ({ x }) => add(x, kept as Tensor<['N']>))),
    ).toMatchInlineSnapshot(`
      "add: expected a tensor of this model, got a tensor of another model
        at test/dsl/model.test.ts:L:C"
    `);
  });

  test('tracing inside tracing', () => {
    const inner = defineModel('inner', { x: f32('N') }, ({ x }) => x);
    expect(
      messageOf(() =>
        traced({ x: f32('N') }, ({ x }) => {
          trace(inner);
          return x;
        }),
      ),
    ).toMatchInlineSnapshot(`"cannot trace a model while tracing m; call its functions instead"`);
    expect(trace(inner).name).toBe('inner');
  });
});

describe('defineModel', () => {
  test('outputs: one tensor, a record, inputs and parameters', () => {
    const graph = traced({ x: f32('N') }, ({ x }) => ({ same: x, w: param('w', [3]), twice: mul(x, 2) }));
    expect(graph.outputs).toEqual([
      { name: 'same', value: 'same' },
      { name: 'w', value: 'w_1' },
      { name: 'twice', value: 'twice' },
    ]);
    expect(lines(graph)).toEqual([
      'twice = mulScalar(x) {value: 2} : f32[N]',
      'same = copy(x) : f32[N]',
      'w_1 = copy(w) : f32[3]',
    ]);
    expect(traced({ x: f32('N') }, ({ x }) => mul(x, 2)).outputs).toEqual([{ name: 'output', value: 'mul' }]);
  });

  test('dimensions in order of first use', () => {
    const graph = traced({ x: f32('B', 'N+1'), y: i32(4) }, ({ x }) => add(x, param('w', ['B', 1])));
    expect(graph.dims).toEqual(['B', 'N']);
    expect(graph.inputs[0]?.shape).toEqual(['B', 'N+1']);
  });

  test('mistakes', () => {
    const forward = ({ x }: { x: Tensor }) => x;
    expect([
      messageOf(() => defineModel('', { x: f32('N') }, forward)),
      messageOf(() => defineModel('m', { x: [3] as never }, forward)),
      messageOf(() => defineModel('m', { x: f32('N') }, undefined as never)),
      messageOf(() => i32('N', { below: 0 })),
      messageOf(() => trace(defineModel('m', { 'x y': f32('N') }, (inputs) => inputs['x y']))),
      messageOf(() => trace(defineModel('m', { x: f32('N', -2) }, forward))),
      messageOf(() => traced({ x: f32('N') }, () => undefined as never)),
      messageOf(() => traced({ x: f32('N') }, () => ({}))),
      messageOf(() => traced({ x: f32('N') }, () => ({ y: 3 as never }))),
      messageOf(() => traced({ x: f32('N') }, (async () => 1) as never)),
    ]).toMatchInlineSnapshot(`
      [
        "defineModel: expected a name of letters, digits, '_', '-' and '.', got """,
        "defineModel m: expected input "x" to be f32(...) or i32(...)",
        "defineModel m: expected a forward function as third argument",
        "i32: expected below to be a positive integer, got 0",
        "defineModel m: input "x y" is not an identifier; use letters, digits and _
        at test/dsl/model.test.ts:L:C",
        "defineModel m: input "x": expected positive integers and dimension names such as 'N', got -2 in [N, -2]
        at test/dsl/model.test.ts:L:C",
        "model m: expected forward to return a tensor or a record of tensors, got undefined
        at test/dsl/support.ts:L:C",
        "model m: expected forward to return a tensor or a record of tensors, got an empty record
        at test/dsl/support.ts:L:C",
        "model m: expected forward to return a tensor or a record of tensors, got 3 for "y"
        at test/dsl/support.ts:L:C",
        "model m: expected forward to return a tensor or a record of tensors, got a promise
        at test/dsl/support.ts:L:C",
      ]
    `);
  });

  test('isModel', () => {
    expect(isModel(defineModel('m', { x: f32('N') }, ({ x }) => x))).toBe(true);
    expect([undefined, null, {}, () => 1].some(isModel)).toBe(false);
  });
});

test('hints end on the nodes recorded inside', () => {
  const graph = traced({ x: f32('N') }, ({ x }) => {
    const a = preferChunk('N', () => region('mlp', () => mul(x, 2)));
    const b = noChunk(() => mul(a, 3));
    const c = noChunk(mul(b, 4));
    return region('tail', () => mul(c, 5));
  });
  expect(ops(graph).map(({ id, hints }) => [id, hints])).toEqual([
    ['a', { preferChunk: 'N', region: 'mlp' }],
    ['b', { noChunk: true }],
    ['c', { noChunk: true }],
    ['mul', { region: 'tail' }],
  ]);
  expect(
    messageOf(() => traced({ x: f32('N') }, ({ x }) => preferChunk('M', () => mul(x, 2)))),
  ).toMatchInlineSnapshot(`
    "preferChunk: the model has no dimension M; it has N
      at test/dsl/model.test.ts:L:C"
  `);
  expect(messageOf(() => traced({ x: f32('N') }, ({ x }) => noChunk(x)))).toMatchInlineSnapshot(`
    "noChunk: expected the result of an operation, got an input or a parameter
      at test/dsl/model.test.ts:L:C"
  `);
});

test('a user op is recorded like ours; without a pattern it is a barrier', () => {
  const cumsum = defineOp<
    <N extends string | number>(x: Tensor<[N]>, attrs?: { reverse: boolean }) => Tensor<[N]>
  >({
    name: 'testCumsum',
    defaults: { reverse: false },
    infer: ([x]) => ({ shape: x?.shape ?? [], dtype: 'f32' }),
    reference: ([x]) => {
      let total = 0;
      return (x?.data ?? new Float64Array()).map((value) => (total += value));
    },
  });
  const graph = traced({ x: f32('N') }, ({ x }) => {
    const forwards = cumsum(x);
    return cumsum(forwards, { reverse: true });
  });
  expect(lines(graph)).toEqual([
    'forwards = testCumsum(x) {reverse: false} : f32[N]',
    'testCumsum = testCumsum(forwards) {reverse: true} : f32[N]',
  ]);
  expect(hasOp('testCumsum')).toBe(true);
  expect(opDef('testCumsum').access).toBeUndefined();
  expect(messageOf(() => defineOp({ ...opDef('testCumsum') }))).toMatchInlineSnapshot(
    `"an op named "testCumsum" exists already; choose another name"`,
  );
});
