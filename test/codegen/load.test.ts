import { describe, expect, test } from 'vitest';
import { generateModule } from '../../src/codegen/generate.ts';
import { loadModule } from '../../src/codegen/load.ts';
import { UserError } from '../../src/errors.ts';
import * as runtime from '../../src/runtime/index.ts';
import { mlp } from './support.ts';

const source = generateModule(mlp());

test('a loaded module says what it needs', () => {
  const { info, run } = loadModule(source, runtime);
  expect(info).toMatchObject({
    model: 'mlp',
    dims: { N: 30 },
    backend: 'cpu',
    inputs: { tokens: { shape: [30], dtype: 'i32', below: 11 } },
    outputs: { y: { shape: [30, 8], dtype: 'f32' } },
  });
  expect(info.params.h_fc_bias).toEqual({ key: 'h.fc.bias', shape: [32] });
  expect(run).toBeTypeOf('function');
});

describe('anything else is refused', () => {
  test.each([
    ['', 'it exports no function `run`'],
    ['export const run = () => {};', 'it exports no object `info`'],
    ['export const run = () => {}; export const info = { model: 1 };', '`info.model` is not a string'],
    [
      source.replace(/plannedPeakBytes: \d+/, "plannedPeakBytes: 'few'"),
      '`info.plannedPeakBytes` is not a number',
    ],
    [source.replace(/shape: \[30\]/, 'shape: 30'), '`info.inputs.tokens` has no shape'],
    ["import fs from 'node:fs'; export const run = fs;", "it imports 'node:fs'"],
    ['export const = 1;', 'line 1, column 14'],
    ["throw new Error('no');", 'not a generated module: no'],
    ['{"json": true}', 'not a generated module'],
    ['# a README', 'not a generated module'],
  ])('%#: %s', (text, message) => {
    expect(() => loadModule(text, runtime)).toThrow(UserError);
    expect(() => loadModule(text, runtime)).toThrow(message);
  });
});
