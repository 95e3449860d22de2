import { expect, test } from 'vitest';
import { foldLayers } from '../../src/weights/fold-layers.ts';

test('lines that differ only in the layer are one line', () => {
  const lines = [0, 1, 2, 5].flatMap((i) => [
    `h.${i}.ln_1.weight: expected [64], got [32]`,
    `h.${i}.ln_1.bias [64]   (the file has "transformer.h.${i}.ln_1.beta")`,
  ]);
  expect(foldLayers(['wte.weight', ...lines, 'h.7.ln_1.weight: expected [64], got [8]'])).toEqual([
    'wte.weight',
    'h.{0-2,5}.ln_1.weight: expected [64], got [32]',
    'h.{0-2,5}.ln_1.bias [64]   (the file has "transformer.h.{0-2,5}.ln_1.beta")',
    'h.7.ln_1.weight: expected [64], got [8]',
  ]);
  expect(foldLayers(['11.a', '1.a', '11.b'])).toEqual(['{1,11}.a', '11.b']);
});
