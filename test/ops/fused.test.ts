import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Formula } from '../../src/formula/formula.ts';
import { printFormula } from '../../src/formula/print.ts';
import { evaluateFormula, operandCount, opsOf } from '../../src/formula/walk.ts';
import { isPart } from '../../src/ir/ops/fused.ts';
import { allOps } from '../../src/ir/ops/index.ts';
import type { Device } from '../../src/runtime/device.ts';
import * as k from '../../src/runtime/kernels/index.ts';
import { partNames } from '../../src/runtime/kernels/part.ts';
import { openDevice } from '../../src/runtime/open.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { randomSource } from '../../src/testing/random.ts';
import { testBackends } from '../support/backends.ts';
import { formulas } from '../support/formulas.ts';

type Call = (...args: readonly unknown[]) => Tensor;
const kernels = k as unknown as Readonly<Record<string, Call>>;

/** Runs the ops of a formula one after another, each into a tensor of its own. */
function oneByOne(device: Device, formula: Formula, operands: readonly Tensor[], shape: number[]): Tensor {
  return evaluateFormula(
    formula,
    (index) => operands[index] as Tensor,
    ({ op, attrs }, values) => kernels[op]?.(...values, { ...attrs, into: device.alloc(shape) }) as Tensor,
  );
}

const EXTREMES = [0, -0, 1e-40, -1e-30, 3e38, -3e38, 88.5, -104, 1e4, 0.1, 1, -1];

/** Numbers of ordinary size and extremes in between. */
function numbers(seed: number, length: number): number[] {
  const next = randomSource(seed);
  return Array.from({ length }, () => {
    const at = next();
    return at < 0.2 ? (EXTREMES[Math.floor(next() * EXTREMES.length)] as number) : (next() - 0.5) * 20;
  });
}

/** Bits, so that zeros of either sign differ; one NaN is as good as another. */
const bits = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.map((value) => (Number.isNaN(value) ? Number.NaN : value)).buffer);

it('the same ops are parts of formulas in graphs and in kernels', () => {
  const inGraphs = allOps().filter(({ name }) => isPart(name));
  expect([...partNames()].sort()).toEqual(inGraphs.map(({ name }) => name).sort());
});

describe.each(testBackends)('fused kernels on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend });
  });
  afterAll(async () => {
    await device.destroy();
  });

  async function compare(formula: Formula, seed: number): Promise<void> {
    const shape = [3, 5, 7];
    // Whole, sliced, in another order, broadcast along some axes.
    const places: readonly (() => Tensor)[] = [
      () => device.upload(numbers(seed, 105), shape),
      () =>
        device
          .upload(numbers(seed + 1, 3 * 6 * 9), [3, 6, 9])
          .slice(1, 1, 6)
          .slice(2, 2, 9),
      () => device.upload(numbers(seed + 2, 105), [7, 5, 3]).permute([2, 1, 0]),
      () => device.upload(numbers(seed + 3, 7), [7]).expand(shape),
      () => device.upload(numbers(seed + 4, 15), [3, 5, 1]).expand(shape),
    ];
    const operands = Array.from({ length: operandCount(formula) }, (_, i) =>
      (places[(seed + i) % places.length] as () => Tensor)(),
    );
    const want = bits(await device.read(oneByOne(device, formula, operands, shape)));
    const text = printFormula(formula);
    const apart = k.formula(text)(...operands, { into: device.alloc(shape) });
    expect(bits(await device.read(apart)), text).toEqual(want);
    const target = operands.findIndex((_, i) => (seed + i) % places.length < 3);
    if (target < 0) return;
    const over = operands[target] as Tensor;
    k.fused(...operands, { formula: text, into: over });
    expect(bits(await device.read(over)), `${text}, in place`).toEqual(want);
  }

  it('give every part the bits that it has alone, in every place', async () => {
    for (const { name, inPlace = [] } of allOps().filter((def) => isPart(def.name))) {
      const value = name.startsWith('pow') ? 3 : 0.7;
      const attrs = name.endsWith('Scalar') ? { value } : name === 'clamp' ? { min: -2, max: 1.5 } : {};
      const arity = inPlace.length;
      const operand = (index: number): Formula => ({ kind: 'operand', index });
      const operands = Array.from({ length: arity }, (_, i) => operand(i));
      const part: Formula = { kind: 'op', op: name, operands, attrs };
      const product: Formula = { kind: 'op', op: 'mul', operands: [part, operand(arity)], attrs: {} };
      const sum: Formula = { kind: 'op', op: 'add', operands: [product, part], attrs: {} };
      const [first, ...rest] = [sum, ...operands.slice(1)] as [Formula, ...Formula[]];
      await compare(sum, 11);
      await compare({ kind: 'op', op: name, operands: [first, ...rest], attrs }, 12);
    }
  });

  it('give random formulas the bits of their ops one by one', async () => {
    await fc.assert(
      fc.asyncProperty(formulas, fc.nat(1000), async (formula, seed) => {
        fc.pre(opsOf(formula).length > 1);
        await compare(formula, seed);
      }),
      { numRuns: backend === 'webgpu' ? 30 : 100 },
    );
  });
});
