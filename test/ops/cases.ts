import { type Attrs, type DType, isTextAttr } from '../../src/ir/node.ts';

/** How the numbers of an operand are drawn. */
export type Kind =
  | 'normal'
  | 'positive'
  | 'nonzero'
  | 'extreme'
  | 'extremePositive'
  | 'extremeNonzero'
  | 'angles'
  | 'integers'
  | 'small integers'
  | 'equal'
  | 'masked'
  | 'truth'
  | { readonly below: number };

export interface OperandSpec {
  readonly shape: readonly number[];
  readonly kind: Kind;
  readonly dtype: DType;
}

export interface OpCase {
  readonly op: string;
  readonly operands: readonly OperandSpec[];
  readonly attrs: Attrs;
}

const operand = (shape: readonly number[], kind: Kind = 'normal'): OperandSpec => ({
  shape,
  kind,
  dtype: kind === 'integers' || kind === 'truth' || typeof kind === 'object' ? 'i32' : 'f32',
});

const make = (op: string, operands: readonly OperandSpec[], attrs: Attrs = {}): OpCase => ({
  op,
  operands,
  attrs,
});

/** Ranks 0 to 5, odd extents, extents of 1, lengths around the SIMD width and above 128. */
const SHAPES: readonly (readonly number[])[] = [
  [],
  [1],
  [7],
  [129],
  [3, 5],
  [2, 3, 7],
  [2, 1, 3, 5],
  [2, 3, 2, 1, 4],
];

const PAIRS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[7], [7]],
  [[], [5]],
  [
    [3, 1],
    [1, 129],
  ],
  [
    [2, 1, 5],
    [3, 1],
  ],
  [
    [4, 3, 1, 2],
    [3, 5, 1],
  ],
  [
    [2, 1, 2, 3, 2],
    [3, 1, 1, 2],
  ],
];

/** Operand values by op where not every number will do: first ordinary ones, then extremes. */
const DOMAIN: Readonly<Record<string, readonly [Kind, Kind]>> = {
  sqrt: ['positive', 'extremePositive'],
  rsqrt: ['positive', 'extremePositive'],
  log: ['positive', 'extremePositive'],
  reciprocal: ['nonzero', 'extremeNonzero'],
  sin: ['angles', 'extreme'],
  cos: ['angles', 'extreme'],
};
const UNARY = 'neg abs relu sqrt rsqrt exp log sin cos tanh erf sigmoid silu reciprocal copy'.split(' ');

function unaryCases(op: string, attrs: Attrs = {}): OpCase[] {
  const [ordinary, extreme] = DOMAIN[op] ?? ['normal', 'extreme'];
  return [
    ...SHAPES.map((shape) => make(op, [operand(shape, ordinary)], attrs)),
    make(op, [operand([19], extreme)], attrs),
  ];
}

const BINARY = 'add sub mul maximum minimum equal less lessEqual greater greaterEqual'.split(' ');

const binaryCases = (op: string): OpCase[] => [
  ...PAIRS.map(([a, b]) => make(op, [operand(a), operand(b)])),
  make(op, [operand([19], 'extreme'), operand([19], 'extreme')]),
  make(op, [operand([6, 1], 'integers'), operand([6], 'integers')]),
];

const SCALAR: Readonly<Record<string, readonly number[]>> = {
  addScalar: [0.1, -3],
  mulScalar: [0.125, -1e4],
  divScalar: [3, 0.1],
  maximumScalar: [0, 0.5],
  minimumScalar: [0, -88],
  rsubScalar: [1, 0],
  equalScalar: [0, 88],
  lessScalar: [0, 0.5],
  lessEqualScalar: [0, 88],
  greaterScalar: [0, -0.5],
  greaterEqualScalar: [0, 1e4],
};

const scalarCases = (op: string, values: readonly number[]): OpCase[] =>
  values.flatMap((value) => [
    make(op, [operand([2, 3, 7])], { value }),
    make(op, [operand([19], 'extreme')], { value }),
    make(op, [operand([9], 'integers')], { value }),
  ]);

const softmaxCases: OpCase[] = [
  ...[[1], [7], [5, 129], [2, 3, 5], [2, 3, 4, 5], [2, 1, 3, 2, 4]].flatMap((shape) =>
    shape.map((_, axis) => make('softmax', [operand(shape)], { axis })),
  ),
  make('softmax', [operand([3, 19], 'extreme')], { axis: 1 }),
  make('softmax', [operand([2, 1030], 'equal')], { axis: 1 }),
  make('softmax', [operand([4, 9], 'masked')], { axis: 1 }),
];

const causalSoftmaxCases: OpCase[] = (
  [
    [[1, 1], 0, 0],
    [[5, 5], 0, 0],
    [[2, 3, 4, 9], 5, 2],
    [[2, 1, 3, 2, 4], 1, 0],
    // Rows that see no column.
    [[2, 3, 6], 0, 4],
    [[2, 3, 3], 0, 1],
    [[3, 1030], 1000, 0],
  ] as const
).map(([shape, rowStart, columnStart]) => make('causalSoftmax', [operand(shape)], { rowStart, columnStart }));

const causalSoftmaxEdges: OpCase[] = (['extreme', 'equal', 'masked'] as const).map((kind) =>
  make('causalSoftmax', [operand([7, 19], kind)], { rowStart: 6, columnStart: 0 }),
);

const reduceCases = ['sum', 'mean', 'amax', 'amin'].flatMap((op) => [
  ...[[7], [3, 129], [2, 3, 5], [2, 3, 4, 5]].flatMap((shape) =>
    shape.map((_, axis) => make(op, [operand(shape)], { axis, keepdims: axis % 2 === 0 })),
  ),
  // Longer than the 1000 iterations after which gpu.js cuts loops by default.
  make(op, [operand([2, 1537])], { axis: 1, keepdims: false }),
  make(op, [operand([3, 19], 'extreme')], { axis: 1, keepdims: true }),
  make(op, [operand([3, 5], 'integers')], { axis: 0, keepdims: false }),
]);

const matmulCases = (
  [
    [
      [1, 1],
      [1, 1],
    ],
    [
      [3, 7],
      [7, 5],
    ],
    [
      [2, 129],
      [129, 9],
    ],
    [
      [3, 1025],
      [1025, 2],
    ],
    [
      [4, 3, 5],
      [4, 5, 6],
    ],
    [
      [2, 3, 4, 5],
      [2, 3, 5, 7],
    ],
    [
      [2, 1, 4, 5],
      [3, 5, 2],
    ],
    [
      [3, 4],
      [2, 4, 5],
    ],
    [
      [2, 1, 2, 3, 4],
      [1, 3, 1, 4, 5],
    ],
  ] as const
).map(([a, b]) => make('matmul', [operand(a), operand(b)]));

const linearCases = [[5], [3, 5], [2, 3, 5], [2, 3, 4, 5], [2, 2, 3, 1, 5]].flatMap((shape) => [
  make('linear', [operand(shape), operand([7, 5])], { transposed: false }),
  make('linear', [operand(shape), operand([7, 5]), operand([7])], { transposed: false }),
  make('linear', [operand(shape), operand([5, 9]), operand([9])], { transposed: true }),
]);

const normCases = [[7], [3, 129], [2, 3, 5], [2, 3, 4, 5]].flatMap((shape) => {
  const channels = operand(shape.slice(-1));
  return [
    make('layerNorm', [operand(shape), channels, channels], { epsilon: 1e-5 }),
    make('rmsNorm', [operand(shape), channels], { epsilon: 1e-6 }),
  ];
});
const rowMomentCases = [[7], [3, 129], [2, 3, 5], [2, 3, 4, 5]].flatMap((shape) => {
  const moments = operand([...shape.slice(0, -1), 3], 'positive');
  const channels = operand(shape.slice(-1));
  return [
    make('layerMoments', [operand(shape)]),
    make('layerNormalise', [operand(shape), moments, channels, channels], { epsilon: 1e-5 }),
    make('mergeMoments', [moments, moments]),
  ];
});
const normEdges = [
  make('layerMoments', [operand([2, 1030], 'equal')]),
  make('layerNorm', [operand([2, 1030], 'equal'), operand([1030]), operand([1030])], { epsilon: 1e-5 }),
  make('rmsNorm', [operand([2, 1030], 'equal'), operand([1030])], { epsilon: 1e-5 }),
];

const viewCases = [
  make('reshape', [operand([6, 8])], { shape: [6, 2, 4] }),
  make('reshape', [operand([3, 4, 5])], { shape: [12, 5] }),
  make('reshape', [operand([4, 6])], { shape: [2, 12] }),
  make('reshape', [operand([6, 4, 5])], { shape: [4, 6, 5] }),
  make('reshape', [operand([1, 6, 1])], { shape: [2, 1, 3] }),
  make('reshape', [operand([1])], { shape: [] }),
  make('permute', [operand([2, 3, 4])], { axes: [2, 0, 1] }),
  make('permute', [operand([2, 1, 3, 4])], { axes: [0, 2, 1, 3] }),
  make('slice', [operand([3, 9])], { axis: 1, start: 3, length: 4 }),
  make('slice', [operand([3, 9])], { axis: 0, start: 2, length: 1 }),
  make('expand', [operand([3, 1])], { shape: [2, 3, 4] }),
  make('expand', [operand([])], { shape: [2, 3] }),
];

const rotaryCases = [
  [3, 6],
  [1, 2],
  [2, 5, 8],
  [2, 3, 5, 4],
].flatMap((shape) => {
  const table = operand([shape.at(-2) as number, (shape.at(-1) as number) / 2]);
  return [false, true].map((interleaved) => make('rotary', [operand(shape), table, table], { interleaved }));
});

const equation = (text: string): Attrs => ({ equation: { text } });
const einsumCases = (
  [
    // Outer product mean, triangle multiplications, attention with a batch: the ones that models use.
    ['sia,sjb->ijab', [3, 4, 2], [3, 5, 3]],
    ['ikc,jkc->ijc', [3, 4, 5], [6, 4, 5]],
    ['kic,kjc->ijc', [3, 4, 5], [3, 6, 5]],
    ['bhqd,bhkd->bhqk', [2, 3, 5, 4], [2, 3, 7, 4]],
    ['bhqk,bkhd->bqhd', [2, 3, 5, 4], [2, 4, 3, 6]],
    ['ij,jk->ik', [3, 129], [129, 5]],
    ['ij,jk->ki', [3, 7], [7, 5]],
    ['i,j->ij', [7], [5]],
    ['i,i->', [129], [129]],
    ['ij,ij->ij', [3, 9], [3, 9]],
    ['bij,bij->bi', [2, 3, 7], [2, 3, 7]],
    ['bi,b->bi', [3, 9], [3]],
    ['b,bi->ib', [3], [3, 9]],
    ['ij,k->k', [3, 4], [5]],
    ['hij,jihc->c', [2, 3, 2], [2, 3, 2, 4]],
    ['ijk,kji->', [2, 3, 4], [4, 3, 2]],
    ['aibj,bkal->ijkl', [2, 3, 2, 4], [2, 5, 2, 3]],
    ['abcde,edf->fcba', [2, 1, 2, 3, 2], [2, 3, 4]],
    [',->', [], []],
  ] as const
).map(([text, a, b]) => make('einsum', [operand(a), operand(b)], equation(text)));

const convCases = (
  [
    { x: [1, 1, 5, 5], w: [1, 1, 3, 3] },
    { x: [2, 3, 7, 9], w: [4, 3, 3, 3], padding: [1, 1] },
    { x: [2, 3, 8, 7], w: [5, 3, 3, 2], stride: [2, 3], padding: [1, 0] },
    { x: [1, 4, 9, 11], w: [6, 2, 3, 3], padding: [2, 2], dilation: [2, 2] },
    { x: [1, 3, 6, 6], w: [6, 1, 3, 3], padding: [1, 1] },
    { x: [2, 6, 5, 7], w: [9, 2, 1, 3], stride: [1, 2], dilation: [1, 2] },
    { x: [2, 5, 3, 13], w: [7, 5, 1, 1] },
    { x: [1, 6, 4, 5], w: [4, 3, 1, 1] },
    { x: [1, 3, 8, 6], w: [5, 3, 4, 2], stride: [4, 2] },
    { x: [2, 2, 1, 1], w: [3, 2, 3, 3], padding: [1, 1] },
    { x: [1, 2, 2, 3], w: [2, 2, 5, 7], padding: [4, 6] },
    { x: [1, 129, 3, 3], w: [2, 129, 3, 3] },
    { x: [1, 3, 7, 6], w: [4, 3, 3, 4], padding: [0, 2, 1, 2] },
    { x: [2, 2, 6, 8], w: [4, 1, 3, 3], stride: [2, 2], padding: [0, 1, 2, 0] },
    { x: [1, 3, 7, 8], w: [4, 3, 3, 3], padding: [1, -2, 1, -1] },
  ] as const
).flatMap(({ x, w, ...given }) => {
  const attrs = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], ...given };
  return [
    make('conv2d', [operand(x), operand(w)], attrs),
    make('conv2d', [operand(x), operand(w), operand(w.slice(0, 1))], attrs),
  ];
});

const transposeCases = (
  [
    { x: [1, 1, 3, 4], w: [1, 1, 3, 3] },
    { x: [2, 3, 4, 5], w: [3, 2, 2, 2], stride: [2, 2] },
    { x: [1, 4, 5, 3], w: [4, 3, 3, 4], stride: [2, 3], padding: [1, 2], outputPadding: [1, 0] },
    { x: [1, 4, 3, 3], w: [4, 3, 3, 3], channelsPerGroup: 2, padding: [1, 1], dilation: [2, 1] },
    { x: [2, 6, 2, 3], w: [6, 2, 3, 1], channelsPerGroup: 2, stride: [3, 1] },
    { x: [1, 3, 4, 5], w: [3, 2, 3, 3], stride: [2, 2], padding: [0, 1, 2, 0] },
  ] as const
).flatMap(({ x, w, ...given }) => {
  const attrs = {
    stride: [1, 1],
    padding: [0, 0],
    outputPadding: [0, 0],
    dilation: [1, 1],
    channelsPerGroup: x[1],
    ...given,
  };
  const outputs = w[1] * (x[1] / attrs.channelsPerGroup);
  return [
    make('convTranspose2d', [operand(x), operand(w)], attrs),
    make('convTranspose2d', [operand(x), operand(w), operand([outputs])], attrs),
  ];
});

const poolCases = (
  [
    { kernel: [2, 2], stride: [2, 2] },
    { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    { kernel: [3, 2], stride: [1, 3], padding: [0, 1] },
    { kernel: [1, 3], stride: [1, 3] },
    { kernel: [3, 2], stride: [2, 1], padding: [0, 1, 1, 0] },
  ] as const
).flatMap((given) =>
  [
    [1, 1, 4, 4],
    [2, 3, 7, 9],
  ].flatMap((shape) => {
    const attrs = { padding: [0, 0], ...given };
    return [
      make('maxPool2d', [operand(shape)], { ...attrs, dilation: [1, 1] }),
      make('avgPool2d', [operand(shape)], { ...attrs, countIncludePad: true }),
      make('avgPool2d', [operand(shape)], { ...attrs, countIncludePad: false }),
    ];
  }),
);

const groupNormCases = (
  [
    [[2, 6], 3],
    [[1, 4], 4],
    [[2, 6, 5], 2],
    [[2, 6, 3, 5], 2],
    [[1, 8, 2, 3], 1],
    [[1, 5, 33, 31], 5],
  ] as const
).flatMap(([shape, channelsPerGroup]) => {
  const channels = operand(shape.slice(1, 2));
  const attrs = { channelsPerGroup, epsilon: 1e-5 };
  return [
    make('groupNorm', [operand(shape), channels, channels], attrs),
    make('groupNorm', [operand(shape, 'equal'), channels, channels], attrs),
  ];
});

const momentCases = groupNormCases.flatMap(({ operands, attrs }): OpCase[] => {
  const [image, weight, bias] = operands as [
    OpCase['operands'][0],
    OpCase['operands'][0],
    OpCase['operands'][0],
  ];
  const { channelsPerGroup } = attrs as { channelsPerGroup: number };
  const moments = operand(
    [image.shape[0] as number, (image.shape[1] as number) / channelsPerGroup, 3],
    'positive',
  );
  return [
    make('groupMoments', [image], { channelsPerGroup }),
    make('groupNormalise', [image, moments, weight, bias], attrs),
    make('mergeMoments', [moments, moments]),
  ];
});

const visionCases: OpCase[] = [
  ...convCases,
  ...transposeCases,
  ...poolCases,
  make('maxPool2d', [operand([1, 2, 3, 19], 'extreme')], {
    kernel: [2, 3],
    stride: [1, 2],
    padding: [1, 1],
    dilation: [2, 3],
  }),
  make('upsampleNearest2d', [operand([2, 3, 4, 5])], { scale: 2 }),
  make('upsampleNearest2d', [operand([1, 1, 1, 7])], { scale: 3 }),
  make('upsampleNearest2d', [operand([1, 2, 3, 2])], { scale: 1 }),
  ...groupNormCases,
  ...momentCases,
  make('geglu', [operand([3, 10])]),
  make('geglu', [operand([2, 3, 4, 14])]),
  make('geglu', [operand([38], 'extreme')]),
  make('pad', [operand([3, 4])], { before: [0, 1], after: [0, 2], value: -0.1 }),
  make('pad', [operand([2, 3, 4, 5])], { before: [0, 0, 1, 1], after: [0, 0, 0, 2], value: 0 }),
  make('pad', [operand([5], 'integers')], { before: [2], after: [0], value: 3 }),
];

const formula = (text: string): Attrs => ({ formula: { text } });
const fusedCases: OpCase[] = [
  ...PAIRS.flatMap(([a, b]) => [
    make('fused', [operand(a), operand(b)], formula('silu(a) * b')),
    make('fused', [operand(a), operand(b), operand([])], formula('sigmoid(a + b) * c')),
  ]),
  ...SHAPES.map((shape) => make('fused', [operand(shape)], formula('1 - gelu(a * 0.5, tanh: true)'))),
  make('fused', [operand([3, 5]), operand([5]), operand([3, 1])], formula('where(less(a, b), -c, abs(a))')),
  make('fused', [operand([7], 'integers'), operand([7], 'integers')], formula('maximum(a - 3, b) * 2')),
  make('fused', [operand([3, 7]), operand([7])], formula('clamp(a, min: -1, max: 1) / (pow(b, 2) + 0.5)')),
  make('fused', [operand([4, 9], 'masked'), operand([4, 1])], formula('expSub(a, b) + -b')),
  make('fused', [operand([19], 'extreme')], formula('leakyRelu(tanh(a), slope: 0.1)')),
  make(
    'fused',
    [[2, 3, 5], [3, 1], [5], [2, 3, 5], [2, 1, 1], [], [2, 3, 5]].map((shape) => operand(shape)),
    formula('a + b - (c + d) + e * f * g'),
  ),
  make(
    'fused',
    Array.from({ length: 7 }, () => operand([3, 7])),
    formula('maximum(a, b) + minimum(c, d) * (e - f * g)'),
  ),
];

/** Every op at odd sizes, several ranks, with broadcasting and at its extremes. */
export const cases: readonly OpCase[] = [
  ...UNARY.flatMap((op) => unaryCases(op)),
  ...unaryCases('gelu', { tanh: false }),
  ...unaryCases('gelu', { tanh: true }),
  ...BINARY.flatMap(binaryCases),
  ...PAIRS.map(([a, b]) => make('div', [operand(a), operand(b, 'nonzero')])),
  make('div', [operand([19], 'extreme'), operand([19], 'extremeNonzero')]),
  ...PAIRS.map(([a, b]) => make('pow', [operand(a, 'positive'), operand(b)])),
  make('pow', [operand([9, 1], 'small integers'), operand([9], 'small integers')]),
  ...PAIRS.map(([a, b]) => make('expSub', [operand(a), operand(b)])),
  make('expSub', [operand([4, 9], 'masked'), operand([4, 1])]),
  ...Object.entries(SCALAR).flatMap(([op, values]) => scalarCases(op, values)),
  ...[0.3, 4].map((value) => make('rdivScalar', [operand([3, 7], 'nonzero')], { value })),
  ...[0, 1, 2, 3, 7, -1, -2, -3, 17].map((value) => make('powScalar', [operand([19], 'nonzero')], { value })),
  ...[0.5, -0.5, 1.7].map((value) => make('powScalar', [operand([19], 'positive')], { value })),
  make('where', [operand([2, 1, 5], 'truth'), operand([3, 1]), operand([])]),
  make('where', [operand([7], 'truth'), operand([7], 'integers'), operand([7], 'integers')]),
  ...fusedCases,
  ...matmulCases,
  ...linearCases,
  ...softmaxCases,
  ...normCases,
  ...rowMomentCases,
  ...normEdges,
  ...reduceCases,
  ...viewCases,
  make('concat', [operand([2, 3]), operand([2, 1]), operand([2, 5])], { axis: 1 }),
  make('concat', [operand([2, 3, 1, 4]), operand([1, 3, 1, 4])], { axis: 0 }),
  make('concat', [operand([7])], { axis: 0 }),
  make('embedding', [operand([11, 5]), operand([7], { below: 11 })]),
  make('embedding', [operand([4, 3]), operand([2, 3, 2, 5], { below: 4 })]),
  make('embedding', [operand([4, 3]), operand([], { below: 4 })]),
  make('iota', [], { length: 129, start: 5, step: 2 }),
  make('iota', [], { length: 7, start: -3, step: -1 }),
  make('full', [], { shape: [2, 3, 2, 5], value: -0.1 }),
  make('full', [], { shape: [], value: 3 }),
  make('constant', [], { shape: [2, 3], values: [1, -2, 0.1, 1e30, 0, 5] }),
  make('causalMask', [operand([5, 5])], { rowStart: 0, columnStart: 0 }),
  make('causalMask', [operand([2, 3, 4, 9])], { rowStart: 5, columnStart: 2 }),
  make('causalMask', [operand([2, 3, 6])], { rowStart: 0, columnStart: 4 }),
  ...causalSoftmaxCases,
  ...causalSoftmaxEdges,
  ...rotaryCases,
  ...unaryCases('clamp', { min: -0.1, max: 1.5 }),
  make('clamp', [operand([9], 'integers')], { min: -5, max: 100 }),
  ...unaryCases('leakyRelu', { slope: 0.2 }),
  ...softmaxCases.map(({ operands, attrs }) => make('logSoftmax', operands, attrs)),
  ...einsumCases,
  ...visionCases,
];

const EXTREMES = [
  0, 1e4, -1e4, 88, -88, 1e-30, -1e-30, 1, -1, 0.5, -0.5, 3.7, -3.7, 20, -20, 1e-3, 5.5, -5.5, 1e-6,
];
const LOWEST_F32 = -3.4028234663852886e38;

/** The float32 numbers of an operand. */
export function draw({ kind }: OperandSpec, count: number, next: () => number): Float64Array {
  const one = (i: number): number => {
    const uniform = next() * 6 - 3;
    if (typeof kind === 'object') return Math.floor(next() * kind.below);
    switch (kind) {
      case 'normal':
        return uniform;
      case 'positive':
        return Math.abs(uniform) + 0.01;
      case 'nonzero':
        return uniform + Math.sign(uniform) * 0.1;
      case 'extreme':
        return EXTREMES[(i * 7) % EXTREMES.length] as number;
      case 'extremePositive':
        return Math.abs((EXTREMES[i % EXTREMES.length] as number) || 2);
      case 'extremeNonzero':
        return (EXTREMES[i % EXTREMES.length] as number) || 2;
      case 'angles':
        return uniform * 1400;
      case 'integers':
        return Math.round(uniform * 1000);
      case 'small integers':
        return (i % 9) - 4 || 3;
      case 'equal':
        return 5.3;
      case 'masked':
        // The first two rows of nine are masked altogether, the others in part.
        return i < 18 || i % 3 === 0 ? LOWEST_F32 : uniform;
      case 'truth':
        return Math.round(next());
      default:
        return kind satisfies never;
    }
  };
  return Float64Array.from({ length: count }, (_, i) => Math.fround(one(i)));
}

export const describeCase = ({ op, operands, attrs }: OpCase): string => {
  const shapes = operands.map(
    ({ shape, kind }) =>
      `[${shape.join(', ')}]${kind === 'normal' ? '' : ` ${typeof kind === 'object' ? 'ids' : kind}`}`,
  );
  const settings = Object.entries(attrs).map(
    ([name, value]) => `${name} ${isTextAttr(value) ? value.text : value}`,
  );
  return `${op}(${shapes.join(', ')}${settings.length > 0 ? `; ${settings.join(', ')}` : ''})`;
};
