import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { UserError } from '../errors.ts';
import { printShape } from '../ir/dims.ts';
import { readSafetensors } from '../weights/index.ts';
import { readNpy } from './npy.ts';
import type { InputSpec } from './signature.ts';
import { systemReason } from './write-file.ts';

const MAX_I32 = 2 ** 24;
const usage = (message: string): UserError => new UserError(message, { exitCode: 2 });

interface Given {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  /** Where it came from, for messages. */
  readonly from: string;
}

/**
 * Reads `--input` values: `name=[1, 2, 3]` (nested JSON), `name=file.json|.npy|.safetensors`, or a `.safetensors` file
 * that holds an input under each name.
 *
 * @returns the elements of every input by id, checked against its shape, dtype and range; undefined when none is given
 * @throws UserError
 */
export function readInputs(
  texts: readonly string[],
  inputs: readonly InputSpec[],
): Readonly<Record<string, Float32Array>> | undefined {
  if (texts.length === 0) return undefined;
  const given = new Map<string, Given>();
  for (const text of texts) {
    for (const [name, value] of readOne(text, inputs)) {
      if (!inputs.some((input) => input.id === name)) {
        throw usage(`--input: there is no input ${name}; the inputs are ${describeInputs(inputs)}`);
      }
      if (given.has(name)) throw usage(`--input: ${name} is given twice`);
      given.set(name, value);
    }
  }
  const missing = inputs.filter((input) => !given.has(input.id));
  if (missing.length > 0) {
    throw usage(`--input: no value for ${describeInputs(missing)}; give all inputs, or none for random ones`);
  }
  return Object.fromEntries(
    inputs.map((input) => [input.id, checkInput(input, given.get(input.id) as Given)]),
  );
}

export const describeInputs = (inputs: readonly InputSpec[]): string =>
  inputs.map((input) => `${input.id} ${input.dtype}${printShape(input.shape)}`).join(', ');

function readOne(text: string, inputs: readonly InputSpec[]): [string, Given][] {
  const match = /^([A-Za-z_$][\w$]*)=(.*)$/s.exec(text);
  if (!match) {
    if (extname(text) !== '.safetensors') {
      throw usage(`--input: expected name=JSON, name=FILE or FILE.safetensors, got "${text}"`);
    }
    const { tensors } = readSafetensors(text);
    return [...tensors].map(([name, tensor]) => [name, { ...tensor.load(), from: text }]);
  }
  const [, name = '', value = ''] = match;
  if (/^\s*[[{"\d.+-]/.test(value) && !existsSync(value)) return [[name, fromJson(value, `--input ${name}`)]];
  return [[name, readFile(name, value, inputs.length)]];
}

function readFile(name: string, path: string, inputCount: number): Given {
  if (!existsSync(path)) throw usage(`--input ${name}: there is no file ${path}`);
  const extension = extname(path).toLowerCase();
  try {
    if (extension === '.json') return fromJson(readFileSync(path, 'utf8'), path);
    if (extension === '.npy') return { ...readNpy(path), from: path };
    if (extension === '.safetensors') {
      const { tensors } = readSafetensors(path);
      const tensor =
        tensors.get(name) ?? (tensors.size === 1 && inputCount === 1 ? [...tensors.values()][0] : undefined);
      if (!tensor)
        throw new UserError(`${path} has no tensor "${name}"; it has ${[...tensors.keys()].join(', ')}`);
      return { ...tensor.load(), from: path };
    }
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`--input ${name}: cannot read ${path}: ${systemReason(cause)}`, { cause });
  }
  throw usage(`--input ${name}: ${path} is of no known type: expected .json, .npy or .safetensors`);
}

/** Nested arrays of numbers (or one number), all rows of one length. */
function fromJson(text: string, from: string): Given {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw usage(`${from}: not JSON: ${(cause as Error).message}`);
  }
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const data: number[] = [];
  const visit = (element: unknown, depth: number): void => {
    if (Array.isArray(element)) {
      if (element.length !== shape[depth]) {
        throw usage(
          `${from}: rows of different lengths (${shape[depth] ?? 'a number'} and ${element.length})`,
        );
      }
      for (const child of element) visit(child, depth + 1);
    } else if (typeof element !== 'number' || depth !== shape.length) {
      throw usage(`${from}: expected nested arrays of numbers, got ${JSON.stringify(element)}`);
    } else {
      data.push(element);
    }
  };
  visit(value, 0);
  return { shape, data, from };
}

function checkInput(input: InputSpec, given: Given): Float32Array {
  const fail = (message: string): UserError => new UserError(`input ${input.id}: ${message}`);
  if (
    given.shape.length !== input.shape.length ||
    given.shape.some((extent, i) => extent !== input.shape[i])
  ) {
    throw fail(
      `expected shape ${printShape(input.shape)}, got ${printShape(given.shape)} from ${given.from}`,
    );
  }
  for (let i = 0; i < given.data.length && input.dtype === 'i32'; i++) {
    const value = given.data[i] as number;
    const where = `${value} at element ${i}`;
    if (!Number.isInteger(value)) throw fail(`expected i32, got ${where}`);
    if (input.below !== undefined && (value < 0 || value >= input.below)) {
      throw fail(`${where} is out of range: ids must be 0 … ${input.below - 1}`);
    }
    if (Math.abs(value) > MAX_I32) throw fail(`${where} is beyond ±2^24, the range of i32 tensors`);
  }
  return Float32Array.from(given.data);
}
