import type { Attrs } from '../../ir/node.ts';

/** A kernel to time: whole, and in equal chunks as loops run it. */
export interface KernelCase {
  readonly op: string;
  readonly operands: readonly OperandCase[];
  readonly attrs: Attrs;
  /** The axis of the result that chunks cut, and how many chunks. Every one of them makes a sample. */
  readonly axis: number;
  readonly chunks: readonly number[];
}

export interface OperandCase {
  readonly shape: readonly number[];
  /** The axis that chunks cut; absent where every chunk reads all of it. */
  readonly cut?: number;
  /** Lies in memory with its last two axes the other way round. */
  readonly turned?: boolean;
  /** Integers 0 ≤ i < below instead of numbers. */
  readonly below?: number;
}

const cut = (shape: readonly number[], axis: number): OperandCase => ({ shape, cut: axis });
const whole = (...shape: number[]): OperandCase => ({ shape });
const kernel = (
  op: string,
  operands: readonly OperandCase[],
  axis: number,
  chunks: readonly number[],
  attrs: Attrs = {},
): KernelCase => ({ op, operands, attrs, axis, chunks });

/** Products along rows: `[m, k] × [k, n]` cut along m. */
const product = (m: number, k: number, n: number, chunks: readonly number[]): KernelCase =>
  kernel('matmul', [cut([m, k], 0), whole(k, n)], 0, chunks);
const linear = (m: number, k: number, n: number, chunks: readonly number[]): KernelCase =>
  kernel('linear', [cut([m, k], 0), whole(n, k), whole(n)], 0, chunks);

/**
 * Sums of products, from square to a single row (bound by memory) and a single column of sums, over many heads, with
 * operands in order and turned.
 */
const MATMULS: readonly KernelCase[] = [
  product(8, 8, 8, [1]),
  product(64, 64, 64, [1, 4, 16]),
  product(256, 256, 256, [1, 4, 16, 64]),
  product(512, 64, 512, [1, 8, 64]),
  product(1024, 2, 1024, [1, 16]),
  linear(256, 512, 512, [1, 4, 16, 64, 256]),
  linear(128, 768, 256, [1, 4, 32]),
  linear(1024, 64, 256, [1, 4, 16, 64]),
  linear(9216, 16, 2, [1, 8]),
  linear(2048, 32, 8, [1, 8]),
  linear(4096, 8, 16, [1, 16]),
  kernel('linear', [whole(9216, 16), cut([16, 16], 0), cut([16], 0)], 1, [1, 2, 8, 16]),
  kernel('einsum', [cut([64, 64, 16], 2), cut([64, 64, 16], 2)], 2, [1, 8], {
    equation: { text: 'ikc,jkc->ijc' },
  }),
  kernel('matmul', [cut([8, 256, 32], 1), { shape: [8, 32, 256], turned: true }], 1, [1, 4, 16, 64]),
  kernel('matmul', [cut([8, 256, 256], 1), whole(8, 256, 32)], 1, [1, 4, 16, 64]),
  kernel('einsum', [cut([48, 48, 32], 0), whole(48, 48, 32)], 0, [1, 4, 16], {
    equation: { text: 'ikc,jkc->ijc' },
  }),
  kernel('einsum', [whole(32, 64, 8), cut([32, 64, 8], 1)], 1, [1, 4, 16], {
    equation: { text: 'sia,sjb->ijab' },
  }),
];

const square = (size: number, channels: number, out: number, chunks: readonly number[]): KernelCase => {
  const shape = [1, channels, size, size];
  const filter: OperandCase = cut([out, channels, 3, 3], 0);
  return kernel('conv2d', [whole(...shape), filter, cut([out], 0)], 1, chunks, { padding: [1, 1] });
};

const CONVOLUTIONS: readonly KernelCase[] = [
  square(4, 4, 4, [1]),
  square(8, 32, 32, [1, 8]),
  square(16, 64, 64, [1, 4, 16]),
  square(32, 32, 32, [1, 4, 16]),
  square(64, 3, 16, [1, 4, 16]),
  square(64, 16, 4, [1, 4]),
  kernel('conv2d', [cut([8, 16, 16, 16], 0), whole(16, 16, 1, 1)], 0, [1, 4, 8]),
  kernel('conv2d', [cut([1, 128, 32, 32], 2), whole(32, 128, 1, 1)], 2, [1, 4, 16]),
  kernel('conv2d', [whole(1, 64, 4, 4), cut([64, 64, 3, 3], 0)], 1, [1, 4], { padding: [1, 1] }),
  kernel('conv2d', [whole(1, 32, 64, 8), cut([32, 32, 1, 1], 0)], 1, [1, 4]),
  kernel('conv2d', [cut([1, 3, 128, 128], 2), whole(64, 3, 4, 4)], 2, [1, 4, 16], { stride: [4, 4] }),
  kernel('convTranspose2d', [whole(1, 16, 16, 16), whole(16, 8, 2, 2)], 1, [1], {
    stride: [2, 2],
    channelsPerGroup: 16,
  }),
];

const ROWS: readonly KernelCase[] = [
  ...[
    [4, 4],
    [64, 64],
    [512, 512],
    [2048, 64],
    [64, 4096],
    [2048, 1024],
  ].flatMap(([m = 1, n = 1]) => {
    const chunks = [1, 4, 16, 64].filter((count) => m % count === 0);
    return [
      kernel('softmax', [cut([m, n], 0)], 0, chunks, { axis: 1 }),
      kernel('layerNorm', [cut([m, n], 0), whole(n), whole(n)], 0, chunks),
      kernel('sum', [cut([m, n], 0)], 0, chunks, { axis: 1 }),
    ];
  }),
  kernel('softmax', [cut([8192, 4], 0)], 0, [1, 16], { axis: 1 }),
  kernel('layerNorm', [cut([4096, 16], 0), whole(16), whole(16)], 0, [1, 16]),
  kernel('rmsNorm', [cut([512, 768], 0), whole(768)], 0, [1, 8, 64]),
  kernel('softmax', [cut([8, 256, 256], 1)], 1, [1, 4, 16, 64], { axis: 2 }),
  kernel('sum', [cut([256, 1024], 1)], 0, [1, 4, 16], { axis: 0 }),
  kernel('amax', [cut([32, 64, 64], 1)], 0, [1, 4], { axis: 0 }),
  kernel('groupNorm', [whole(1, 32, 32, 32), whole(32), whole(32)], 1, [1], { channelsPerGroup: 4 }),
  kernel('maxPool2d', [cut([1, 32, 64, 64], 1)], 1, [1, 4, 16], { kernel: [2, 2], stride: [2, 2] }),
];

const ELEMENTWISE: readonly KernelCase[] = [
  ...[1, 64, 2048, 2 ** 15, 2 ** 18, 2 ** 21].flatMap((n) => {
    const chunks = [1, 8, 64].filter((count) => n % count === 0);
    return [
      kernel('add', [cut([n], 0), cut([n], 0)], 0, chunks),
      kernel('gelu', [cut([n], 0)], 0, chunks),
      kernel('mulScalar', [cut([n], 0)], 0, chunks, { value: 0.5 }),
    ];
  }),
  kernel('add', [cut([512, 768], 0), whole(768)], 0, [1, 8, 64]),
  kernel('silu', [cut([256, 1024], 0)], 0, [1, 16]),
  kernel('sigmoid', [cut([512, 512], 1)], 1, [1, 16, 256]),
  kernel('add', [cut([96, 96, 16], 2), cut([96, 96, 16], 2)], 2, [1, 8]),
  kernel('mul', [cut([8, 256, 256], 1), cut([8, 256, 256], 1)], 1, [1, 16, 64]),
  kernel('causalMask', [cut([8, 256, 256], 1)], 1, [1, 16]),
];

const turned = (shape: readonly number[], axis: number): OperandCase => ({ shape, cut: axis, turned: true });

const COPIES: readonly KernelCase[] = [
  ...[1, 2048, 2 ** 16, 2 ** 20].map((n) =>
    kernel(
      'copy',
      [cut([n], 0)],
      0,
      [1, 16].filter((count) => n % count === 0),
    ),
  ),
  ...[8, 128, 512, 1024].map((n) => kernel('copy', [turned([n, n], 0)], 0, [1, 4])),
  kernel('copy', [turned([8, 256, 64], 1)], 1, [1, 16]),
  kernel('add', [turned([512, 512], 0), cut([512, 512], 0)], 0, [1, 8]),
  kernel('concat', [cut([512, 256], 0), cut([512, 256], 0)], 0, [1, 8], { axis: 1 }),
  kernel('embedding', [whole(4096, 256), { shape: [512], cut: 0, below: 4096 }], 0, [1, 8]),
  kernel('upsampleNearest2d', [cut([1, 32, 32, 32], 1)], 1, [1, 4], { scale: 2 }),
];

/** The kernels that `autochunk tune` times. `quick`: whole, and in the most chunks, no others. */
export const kernelCases = (quick: boolean): readonly KernelCase[] =>
  [...MATMULS, ...CONVOLUTIONS, ...ROWS, ...ELEMENTWISE, ...COPIES].map((one) =>
    quick ? { ...one, chunks: [...new Set([one.chunks[0] as number, one.chunks.at(-1) as number])] } : one,
  );
