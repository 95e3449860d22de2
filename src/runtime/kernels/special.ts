import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import type { KernelOptions } from './options.ts';
import { definePart } from './part.ts';
import { unary } from './unary.ts';

/*
 * Functions that devices lack (erf) or may compute loosely (WGSL promises sine and cosine to 5e-4 only). One formula
 * serves all backends. The coefficients are least-squares fits with relative error as the weight.
 */

/** Sine: the argument minus the nearest multiple k of π/2, taken off in three parts, then a polynomial on ±π/4. */
export const sin = unary('sin', function (this: KernelThis, a: KernelArray): number {
  const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
  const k = Math.floor(x * 0.6366197723675814 + 0.5);
  const r = x - k * 1.5703125 - k * 0.0004837512969970703 - k * 7.549790126404332e-8;
  const u = r * r;
  const sine = r + r * u * (-0.1666666454 + u * (0.008332725063 - u * 0.0001958291232));
  const cosine = 1 - 0.5 * u + u * u * (0.0416666645 + u * (-0.001388827724 + u * 0.00002454262618));
  const quadrant = k - 4 * Math.floor(k * 0.25);
  const odd = quadrant - 2 * Math.floor(quadrant * 0.5);
  const value = odd > 0.5 ? cosine : sine;
  return quadrant >= 2 ? -value : value;
});

/** Cosine: as sine, a quadrant later. */
export const cos = unary('cos', function (this: KernelThis, a: KernelArray): number {
  const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
  const k = Math.floor(x * 0.6366197723675814 + 0.5);
  const r = x - k * 1.5703125 - k * 0.0004837512969970703 - k * 7.549790126404332e-8;
  const u = r * r;
  const sine = r + r * u * (-0.1666666454 + u * (0.008332725063 - u * 0.0001958291232));
  const cosine = 1 - 0.5 * u + u * u * (0.0416666645 + u * (-0.001388827724 + u * 0.00002454262618));
  const quadrant = k - 4 * Math.floor(k * 0.25);
  const odd = quadrant - 2 * Math.floor(quadrant * 0.5);
  const value = odd > 0.5 ? sine : cosine;
  return quadrant === 1 || quadrant === 2 ? -value : value;
});

/** Error function: a ratio of polynomials in x² on ±4, where it reaches ±1 in float32; relative error 4e-7. */
export const erf = unary('erf', function (this: KernelThis, a: KernelArray): number {
  const x = Math.max(-4, Math.min(4, a[this.thread.z]![this.thread.y]![this.thread.x]!));
  const u = x * x;
  const p3 = 0.003882404518 + u * (0.0002845220693 + u * 0.00000198663955);
  const p = 1.12837914 + u * (0.1935264691 + u * (0.05309879867 + u * p3));
  const q3 = 0.0152053972 + u * (0.001185300122 + u * 0.000037416367);
  const q = 1 + u * (0.5048409297 + u * (0.1153418724 + u * q3));
  return (x * p) / q;
});

const geluTanh = defineKernel(function geluTanh(this: KernelThis, a: KernelArray): number {
  const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
  // Beyond 15 the tangent is ±1 in float32; clamping first keeps the cube finite.
  const c = Math.max(-15, Math.min(15, x));
  const inner = 0.7978845608028654 * (c + 0.044715 * c * c * c);
  return 0.5 * x * (1 + Math.tanh(Math.max(-15, Math.min(15, inner))));
}, 1);

const geluErf = defineKernel(function geluErf(this: KernelThis, a: KernelArray): number {
  const value = a[this.thread.z]![this.thread.y]![this.thread.x]!;
  const x = Math.max(-4, Math.min(4, value * Math.SQRT1_2));
  const u = x * x;
  const p3 = 0.003882404518 + u * (0.0002845220693 + u * 0.00000198663955);
  const p = 1.12837914 + u * (0.1935264691 + u * (0.05309879867 + u * p3));
  const q3 = 0.0152053972 + u * (0.001185300122 + u * 0.000037416367);
  const q = 1 + u * (0.5048409297 + u * (0.1153418724 + u * q3));
  // Exactly ±1 at the clamp, so that large negative inputs give 0.
  const erf = Math.max(-1, Math.min(1, (x * p) / q));
  const tail = x <= -4 ? 0 : x >= 4 ? 2 : 1 + erf;
  return 0.5 * value * tail;
}, 1);

interface Approximation {
  readonly tanh?: boolean;
}

const runGelu = definePart<Approximation>('gelu', ({ tanh = false }) => ({
  kernel: tanh ? geluTanh : geluErf,
  scalars: [],
}));

/** Gaussian error linear unit: x · Φ(x), or its tanh approximation. */
export const gelu = (x: Tensor, options: KernelOptions & Approximation): Tensor => runGelu([x], options);
