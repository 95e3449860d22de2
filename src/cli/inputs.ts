import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { UserError } from '../errors.ts';
import { type Bindings, dimTerms, printShape } from '../ir/dims.ts';
import type { TensorType } from '../ir/node.ts';
import { readSafetensors } from '../weights/index.ts';
import { IMAGE_EXTENSIONS, readImage } from './image/decode.ts';
import { type Preprocessing, preprocessImage } from './image/preprocess.ts';
import type { RgbImage } from './image/resize.ts';
import { readNpy } from './npy.ts';
import type { InputSpec } from './signature.ts';
import { systemReason } from './write-file.ts';

const MAX_I32 = 2 ** 24;
const usage = (message: string): UserError => new UserError(message, { exitCode: 2 });

/** An input as a model or a module declares it; its shape may have named dimensions. */
export interface DeclaredInput extends TensorType {
  readonly id: string;
}

/** A value of `--input` or `--text`. */
export type Given = (Elements | Image) & {
  /** Where it came from, for messages. */
  readonly from: string;
};

interface Elements {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Becomes numbers once the model's size is known. */
interface Image {
  readonly image: RgbImage;
}

/** Values by input. */
export type GivenInputs = ReadonlyMap<string, Given>;

/**
 * Reads `--input` values: `name=[1, 2, 3]` (nested JSON), `name=file.json|.npy|.safetensors|.png|.jpg`, or a
 * `.safetensors` file that holds an input under each name; and the token ids of `--text`.
 *
 * @returns a value for every input; undefined when none is given
 * @throws UserError
 */
export async function readInputs(
  texts: readonly string[],
  inputs: readonly DeclaredInput[],
  words?: readonly number[],
): Promise<GivenInputs | undefined> {
  if (texts.length === 0 && words === undefined) return undefined;
  const given = new Map<string, Given>();
  const add = (name: string, value: Given): void => {
    if (!inputs.some((input) => input.id === name)) {
      throw usage(`--input: there is no input ${name}; the inputs are ${describeInputs(inputs)}`);
    }
    if (given.has(name)) throw usage(`--input: ${name} is given twice`);
    given.set(name, value);
  };
  if (words !== undefined) add(...fromText(words, inputs));
  for (const text of texts) for (const [name, value] of await readOne(text, inputs)) add(name, value);
  const missing = inputs.filter((input) => !given.has(input.id));
  if (missing.length > 0) {
    throw usage(`--input: no value for ${describeInputs(missing)}; give all inputs, or none for random ones`);
  }
  return given;
}

/** Sizes of named dimensions that `dims` leaves open, where an axis of a given input is that dimension or a multiple of it. */
export function bindDims(inputs: readonly DeclaredInput[], given: GivenInputs, dims: Bindings): Bindings {
  const bound: Record<string, number> = { ...dims };
  for (const { id, shape } of inputs) {
    const value = given.get(id);
    if (!value) continue;
    const extents = 'image' in value ? [1] : value.shape.length === shape.length ? value.shape : [];
    extents.forEach((extent, axis) => {
      const dim = shape[axis];
      const [term, ...more] = typeof dim === 'string' ? dimTerms(dim) : [];
      const [name, ...others] = term?.names ?? [];
      if (!term || name === undefined || more.length > 0 || others.length > 0) return;
      if (extent > 0 && extent % term.coefficient === 0) bound[name] ??= extent / term.coefficient;
    });
  }
  return bound;
}

/**
 * The elements of every input by id, checked against its shape, dtype and range.
 *
 * @throws UserError
 */
export const checkInputs = (
  inputs: readonly InputSpec[],
  given: GivenInputs,
  preprocessing: Preprocessing,
): Readonly<Record<string, Float32Array>> =>
  Object.fromEntries(
    inputs.map((input) => {
      const value = given.get(input.id) as Given;
      return [input.id, checkInput(input, 'image' in value ? pixels(input, value, preprocessing) : value)];
    }),
  );

/** The one input of token ids. */
function fromText(ids: readonly number[], inputs: readonly DeclaredInput[]): [string, Given] {
  if (ids.length === 0) throw usage('--text: the text has no tokens');
  const [input, ...others] = inputs.filter(({ dtype, shape }) => dtype === 'i32' && shape.length > 0);
  if (!input || others.length > 0)
    throw usage(
      `--text: the model has no single input of token ids; its inputs are ${describeInputs(inputs)}`,
    );
  const shape = [...input.shape.slice(1).map(() => 1), ids.length];
  return [input.id, { shape, data: ids, from: `the ${ids.length} tokens of --text` }];
}

function pixels(input: InputSpec, { image, from }: Image & Given, how: Preprocessing): Elements & Given {
  const [batch, channels, height, width] = input.shape;
  if (input.shape.length !== 4 || batch !== 1 || channels !== 3 || input.dtype !== 'f32')
    throw new UserError(
      `input ${input.id}: an image is f32[1, 3, height, width], expected ${input.dtype}${printShape(input.shape)}; got ${from}`,
    );
  const size = [height as number, width as number] as const;
  return { shape: input.shape, data: preprocessImage(image, size, how, `input ${input.id}: ${from}`), from };
}

export const describeInputs = (inputs: readonly DeclaredInput[]): string =>
  inputs.map((input) => `${input.id} ${input.dtype}${printShape(input.shape)}`).join(', ');

async function readOne(text: string, inputs: readonly DeclaredInput[]): Promise<[string, Given][]> {
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
  return [[name, await readFile(name, value, inputs.length)]];
}

async function readFile(name: string, path: string, inputCount: number): Promise<Given> {
  if (!existsSync(path)) throw usage(`--input ${name}: there is no file ${path}`);
  const extension = extname(path).toLowerCase();
  if (IMAGE_EXTENSIONS.includes(extension)) return { image: await readImage(path), from: path };
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
  throw usage(
    `--input ${name}: ${path} is of no known type: expected .json, .npy, .safetensors, .png or .jpg`,
  );
}

/** Nested arrays of numbers (or one number), all rows of one length. */
function fromJson(text: string, from: string): Elements & Given {
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

function checkInput(input: InputSpec, given: Elements & Given): Float32Array {
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
