import {
  CONVOLUTION,
  type ConvolutionParameters,
  LANEWISE,
  type LanewiseParameters,
  PRODUCT,
  type ProductParameters,
} from '../../products/parameters.ts';
import type { Value } from '../assembler/code.ts';
import { i32 } from '../assembler/instructions.ts';

/** Extents of the tasks that C is divided into. */
const TASKS = ['taskRows', 'taskColumns'] as const;

/** What the module reads from the parameter block, in order; strides and addresses in bytes. */
const NAMES = [...PRODUCT, ...TASKS, ...LANEWISE, ...CONVOLUTION] as const;
type Name = (typeof NAMES)[number];

export type TaskParameters = { readonly [name in (typeof TASKS)[number]]: number };

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
