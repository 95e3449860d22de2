import type { Value } from '../assembler/code.ts';
import { i32 } from '../assembler/instructions.ts';

/** What a product reads from the parameter block, in order; strides and addresses in bytes. */
const NAMES = [
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
  'bias',
  'biasBatch',
  'biasRow',
  'biasColumn',
  'taskRows',
  'taskColumns',
] as const;

export type GemmParameters = { readonly [name in (typeof NAMES)[number]]: number };

/** The words of the block. */
export const wordsOf = (parameters: GemmParameters): number[] => NAMES.map((name) => parameters[name]);

/** The instruction that reads a parameter from the block at `address`. */
export const parameter = (address: number, name: keyof GemmParameters): Value<'i32'> =>
  i32.load(0, address + NAMES.indexOf(name) * 4);
