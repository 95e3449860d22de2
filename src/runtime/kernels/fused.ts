import { UserError } from '../../errors.ts';
import type { Formula, FormulaOp } from '../../formula/formula.ts';
import { parseFormula } from '../../formula/parse.ts';
import { operandCount } from '../../formula/walk.ts';
import { joinKernels, type KernelPart } from '../gpujs/join-kernels.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { elementwise } from './fold.ts';
import { expect, type KernelOptions } from './options.ts';
import { type Part, partOf } from './part.ts';

const NAME = 'fused';

interface Fused extends Part {
  readonly operands: number;
}

/** Texts of formulas that have a kernel already. */
const byText = new Map<string, Fused>();
/** Kernels by what they are made of: formulas that differ in numbers share one. */
const byParts = new Map<string, Kernel>();

/** Elementwise ops in one kernel: what `formula` says of the operands `a`, `b`, … */
export function fused(
  ...args: readonly [...operands: Tensor[], options: KernelOptions & { readonly formula: string }]
): Tensor {
  const { formula, into } = args.at(-1) as KernelOptions & { readonly formula: string };
  const operands = args.slice(0, -1) as Tensor[];
  const { kernel, scalars, operands: count } = fusedOf(formula);
  expect(
    operands.length === count,
    NAME,
    () => `${formula} has ${count} operand${count === 1 ? '' : 's'}, got ${operands.length}`,
  );
  return elementwise(NAME, kernel, operands, into, scalars);
}

/** A kernel of elementwise ops: what the formula says of the operands. */
export type FormulaKernel = (...args: readonly [...operands: Tensor[], options: KernelOptions]) => Tensor;

/**
 * Gives a formula a name: `const gate = k.formula('sigmoid(a) * b')`, then `gate(x, y, { into })`.
 *
 * @throws UserError for a text that is no formula of elementwise ops
 */
export function formula(text: string): FormulaKernel {
  fusedOf(text);
  return (...args) => {
    const options = args.at(-1) as KernelOptions;
    return fused(...(args.slice(0, -1) as Tensor[]), { ...options, formula: text });
  };
}

function fusedOf(text: string): Fused {
  let known = byText.get(text);
  if (!known) byText.set(text, (known = makeFused(parseFormula(text))));
  return known;
}

function makeFused(whole: Formula): Fused {
  const parts: KernelPart[] = [];
  const scalars: number[] = [];
  const add = (one: Formula): KernelPart['arrays'][number] => {
    if (one.kind === 'operand') return { array: one.index };
    const arrays = one.operands.map(add);
    const part = checkedPart(one);
    scalars.push(...part.scalars);
    parts.push({ kernel: part.kernel, arrays });
    return { part: parts.length - 1 };
  };
  add(whole);
  expect(parts.length > 0, NAME, () => 'expected a formula of at least one op');
  const operands = operandCount(whole);
  const key = parts
    .map(({ kernel, arrays }) => `${kernelNumber(kernel)}(${arrays.map((from) => JSON.stringify(from))})`)
    .join(' ');
  let kernel = byParts.get(key);
  if (!kernel) {
    const types = parts.flatMap((part) => part.kernel.scalars);
    kernel = defineKernel(joinKernels(operands, parts), operands, types, NAME);
    byParts.set(key, kernel);
  }
  return { kernel, scalars, operands };
}

/** The part of an op: nothing but ops of ours can be one, with numbers where they take numbers. */
function checkedPart({ op, operands, attrs }: FormulaOp): Part {
  const part = partOf(op, attrs);
  if (!part) throw new UserError(`${NAME}: ${op} is no op that can be a part of a formula`);
  const { kernel, scalars } = part;
  expect(
    operands.length === kernel.arrays,
    NAME,
    () => `${op} takes ${kernel.arrays} operand${kernel.arrays === 1 ? '' : 's'}, got ${operands.length}`,
  );
  expect(
    scalars.every((value) => typeof value === 'number'),
    NAME,
    () => `${op} lacks a number, got ${JSON.stringify(attrs)}`,
  );
  return part;
}

const numbers = new WeakMap<Kernel, number>();
let count = 0;

function kernelNumber(kernel: Kernel): number {
  const number = numbers.get(kernel) ?? count++;
  numbers.set(kernel, number);
  return number;
}
