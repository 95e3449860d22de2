/**
 * A gpu.js kernel: a small self-contained function, one thread per output element, that returns the element at
 * (`this.thread.z`, `this.thread.y`, `this.thread.x`). gpu.js reads its source with `toString`, so it may use neither
 * imported identifiers nor nested functions; array parameters come first, then scalars. Always index arrays with three
 * subscripts `a[z][y][x]`; unused leading subscripts are 0.
 */
export interface Kernel {
  readonly name: string;
  /** The function, or its text. */
  readonly source: KernelFunction | string;
  /** Number of array parameters. */
  readonly arrays: number;
  /** Types of the scalar parameters that follow. */
  readonly scalars: readonly ScalarType[];
}

export type ScalarType = 'Integer' | 'Number';
/** `this` inside a kernel. */
export interface KernelThis {
  readonly thread: { readonly x: number; readonly y: number; readonly z: number };
}
/** An array parameter as the kernel sees it. */
export type KernelArray = number[][][];
export type KernelFunction = (this: KernelThis, ...args: never[]) => number;

/** `name` is for messages; give it where a minifier may drop the name of the function. */
export const defineKernel = (
  source: KernelFunction | string,
  arrays: number,
  scalars: readonly ScalarType[] = [],
  name: string = typeof source === 'string' ? 'kernel' : source.name,
): Kernel => ({ name, source, arrays, scalars });
