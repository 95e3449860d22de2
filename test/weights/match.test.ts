import { describe, expect, test } from 'vitest';
import { matchParameters, type StoredTensor, type WeightTensor } from '../../src/weights/index.ts';
import { messageOf } from './support.ts';

const stored = (shape: readonly number[], onLoad: () => void = () => {}): StoredTensor => ({
  storedAs: 'F32',
  shape,
  load: (): WeightTensor => {
    onLoad();
    return { dtype: 'f32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
  },
});
const dict = (shapes: Record<string, readonly number[]>) =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, stored(shape)]));

const params = [
  { key: 'wte.weight', shape: [8, 4] },
  { key: 'h.0.attn.c_attn.weight', shape: [4, 12] },
  { key: 'h.0.attn.c_attn.bias', shape: [12] },
  { key: 'ln_f.weight', shape: [4] },
] as const;

describe('matchParameters', () => {
  test('returns the parameters in their order, through prefixes and past ignorable names', () => {
    const matched = matchParameters(
      params,
      dict({
        'transformer.ln_f.weight': [4],
        'transformer.h.0.attn.bias': [1, 1, 6, 6],
        'transformer.h.0.attn.c_attn.bias': [12],
        'transformer.h.0.attn.c_attn.weight': [4, 12],
        'transformer.wte.weight': [8, 4],
        'lm_head.weight': [8, 4],
      }),
      { prefixes: ['transformer.'], ignore: [/\.attn\.bias$/, 'lm_head.weight'] },
    );
    expect([...matched].map(([key, { shape }]) => [key, shape])).toEqual(
      params.map(({ key, shape }) => [key, shape]),
    );
  });

  test('one report of everything that does not fit, and nothing is loaded', () => {
    let loads = 0;
    const file = dict({
      'transformer.wte.weight': [8, 4],
      'wte.weight': [8, 4],
      'h.0.attn.c_attn.weight': [12, 4],
      'h.0.attn.c_atn.bias': [12],
      'h.1.ln_1.weight': [4],
    });
    file.set(
      'ln_f.weight',
      stored([5], () => loads++),
    );
    expect(
      messageOf(() =>
        matchParameters(params, file, { prefixes: ['transformer.'], file: 'gpt2.safetensors' }),
      ),
    ).toMatchInlineSnapshot(`
      "gpt2.safetensors do not fit the model (3 of 4 parameters found)
        missing (1):
          h.0.attn.c_attn.bias [12]   (the file has "h.0.attn.c_atn.bias")
        of another shape (2):
          h.0.attn.c_attn.weight: expected [4, 12], got [12, 4]   (transposed?)
          ln_f.weight: expected [4], got [5]
        unexpected (2):
          h.0.attn.c_atn.bias [12]
          h.1.ln_1.weight [4]
        there twice (1):
          wte.weight: as "transformer.wte.weight" and as "wte.weight""
    `);
    expect(loads).toBe(0);
  });

  test('prefixes are put before names where the file leaves them out', () => {
    const llama = [
      { key: 'model.norm.weight', shape: [4] },
      { key: 'lm_head.weight', shape: [8, 4] },
    ];
    const file = dict({ 'norm.weight': [4], 'lm_head.weight': [8, 4], 'rotary.inv_freq': [2] });
    const options = { prefixes: ['model.'], ignore: [/^model\.rotary\./] };
    expect([...matchParameters(llama, file, options).keys()]).toEqual([
      'model.norm.weight',
      'lm_head.weight',
    ]);
  });

  test('element types that cannot be read are in the report', () => {
    const file = dict({ 'a.weight': [4], 'b.weight': [4] });
    file.set('b.weight', { ...stored([4]), storedAs: 'F8_E4M3' });
    const wanted = [
      { key: 'a.weight', shape: [5] },
      { key: 'b.weight', shape: [4] },
    ];
    expect(messageOf(() => matchParameters(wanted, file))).toBe(
      `the weights do not fit the model (2 of 2 parameters found)
  of another shape (1):
    a.weight: expected [5], got [4]
  of a type that cannot be read (only F32, F16, BF16, I32, I64 can) (1):
    b.weight: stored as F8_E4M3`,
    );
  });

  test('names are suggested over a prefix too', () => {
    expect(
      messageOf(() => matchParameters([{ key: 'wte.weight', shape: [1] }], dict({ 'gpt.wte.weight': [1] }))),
    ).toContain('wte.weight [1]   (the file has "gpt.wte.weight")');
  });
});
