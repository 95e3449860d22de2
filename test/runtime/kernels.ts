import { defineKernel, type KernelArray, type KernelThis } from '../../src/runtime/kernel.ts';

/** Kernels of the tests; between them they use every kind of access and of control flow that kernels may use. */

export const affine = defineKernel(
  function affine(this: KernelThis, a: KernelArray, scale: number, shift: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! * scale + shift;
  },
  1,
  ['Number', 'Number'],
);

export const matmul = defineKernel(
  function matmul(this: KernelThis, a: KernelArray, b: KernelArray, k: number): number {
    let sum = 0;
    for (let i = 0; i < k; i++) {
      sum += a[this.thread.z]![this.thread.y]![i]! * b[this.thread.z]![i]![this.thread.x]!;
    }
    return sum;
  },
  2,
  ['Integer'],
);

/** Lanes return early, and the others read at an index that would be wild for those that did. */
export const pad = defineKernel(
  function pad(this: KernelThis, a: KernelArray, before: number, extent: number): number {
    if (this.thread.x < before) {
      return -1;
    }
    if (this.thread.x >= before + extent) {
      return 1;
    }
    return a[this.thread.z]![this.thread.y]![this.thread.x - before]!;
  },
  1,
  ['Integer', 'Integer'],
);

export const gatherRows = defineKernel(function gatherRows(
  this: KernelThis,
  table: KernelArray,
  ids: KernelArray,
): number {
  return table[0]![Math.floor(ids[0]![0]![this.thread.y]!)]![this.thread.x]!;
}, 2);

/** Lanes gather each from its own row. */
export const gatherElements = defineKernel(function gatherElements(
  this: KernelThis,
  table: KernelArray,
  ids: KernelArray,
): number {
  return table[0]![Math.floor(ids[0]![this.thread.y]![this.thread.x]!)]![this.thread.x]!;
}, 2);

/** A divergent branch, a divergent loop, a ternary and Math functions. */
export const mixed = defineKernel(
  function mixed(this: KernelThis, a: KernelArray, n: number): number {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const value = a[0]![this.thread.y]![i]!;
      if (value > 0.5) {
        sum += Math.exp(value) * (this.thread.x + 1);
      } else {
        sum -= Math.sqrt(Math.abs(value));
      }
    }
    for (let j = 0; j <= this.thread.x; j++) {
      sum += a[0]![j]![this.thread.y]!;
    }
    const own = a[this.thread.z]![this.thread.y]![this.thread.x]!;
    return own < 0 ? Math.max(sum, -1) : Math.min(sum, own * 10);
  },
  1,
  ['Integer'],
);

export const count = defineKernel(
  function count(this: KernelThis, n: number): number {
    let total = 0;
    for (let i = 0; i < n; i++) {
      total += 1;
    }
    return total;
  },
  0,
  ['Integer'],
);

/** Two loops whose counters have one name. */
export const sameCounter = defineKernel(
  function sameCounter(this: KernelThis, a: KernelArray, n: number): number {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      sum += a[0]![0]![i]!;
    }
    for (let i = 0; i < n; i++) {
      sum += a[0]![0]![i]! * 10;
    }
    return sum + this.thread.x;
  },
  1,
  ['Integer'],
);

/** As minifiers write: variables that shadow arguments and one another, a folded declaration. */
export const shadowing = defineKernel(
  function shadowing(this: KernelThis, a: KernelArray, b: KernelArray, n: number): number {
    let s = b[0]![0]![this.thread.x]!,
      r = 0;
    for (let b = 0; b < n; b++) {
      const s = a[0]![0]![b]!;
      r += s * 2;
    }
    if (r > 0) {
      const a = r + 1;
      s += a;
    }
    return s + r;
  },
  2,
  ['Integer'],
);

/** A condition used as a number, as minifiers write `x < limit ? 1 : 0`. */
export const below = defineKernel(
  function below(this: KernelThis, a: KernelArray, limit: number): number {
    return +(a[this.thread.z]![this.thread.y]![this.thread.x]! < limit && this.thread.x > 0);
  },
  1,
  ['Number'],
);
