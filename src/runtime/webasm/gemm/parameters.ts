import type { Value } from '../assembler/code.ts';
import { i32 } from '../assembler/instructions.ts';

/** What a product reads from the parameter block, in order; strides and addresses in bytes. */
const PRODUCT = [
  'rows',
  'columns',
  'k',
  'accumulate',
  'a',
  'aBatch',
  'aRow',
  'aK',
  'b',
  'bBatch',
  'bColumn',
  'bK',
  'c',
  'cBatch',
  'cRow',
  'cColumn',
  /** Columns of C lie in lines of so many, and the next line starts so far after the end of one. */
  'cLine',
  'cGap',
  'bias',
  'biasBatch',
  'biasRow',
  'biasColumn',
] as const;

/** Extents of the tasks that C is divided into. */
const TASKS = ['taskRows', 'taskColumns'] as const;

/** Lanes of a lanewise product. */
const LANEWISE = ['lanes'] as const;

/** What a convolution reads besides; its rows are output channels, its columns places, its k taps of channels. */
const CONVOLUTION = [
  'channels',
  'kernelColumns',
  'aTap',
  'imageRows',
  'imageColumns',
  'imageRow',
  'placesInLine',
  'strideRow',
  'strideColumn',
  'paddingTop',
  'paddingLeft',
  'dilationRow',
  'dilationColumn',
] as const;

const NAMES = [...PRODUCT, ...TASKS, ...LANEWISE, ...CONVOLUTION] as const;
type Name = (typeof NAMES)[number];

export type ProductParameters = { readonly [name in (typeof PRODUCT)[number]]: number };
export type LanewiseParameters = ProductParameters & { readonly lanes: number };
export type TaskParameters = { readonly [name in (typeof TASKS)[number]]: number };
export type ConvolutionParameters = ProductParameters & {
  readonly [name in (typeof CONVOLUTION)[number]]: number;
};

export const WORDS = NAMES.length;

/** Writes the words of a block. */
export function writeParameters(
  words: Int32Array<ArrayBufferLike>,
  parameters: ProductParameters | LanewiseParameters | ConvolutionParameters,
  tasks: TaskParameters,
): void {
  const given: { readonly [name in Name]?: number } = parameters;
  for (let i = 0; i < WORDS; i++) words[i] = given[NAMES[i] as Name] ?? 0;
  TASKS.forEach((name) => {
    words[NAMES.indexOf(name)] = tasks[name];
  });
}

/** The instruction that reads a parameter. */
export type Parameter = (name: Name) => Value<'i32'>;

/** Parameters of a block at `address`. */
export const parametersAt =
  (address: number): Parameter =>
  (name) =>
    i32.load(0, address + NAMES.indexOf(name) * 4);
