import type { RefTensor } from '../../src/ir/ops/op.ts';
import type { Drawn } from './support.ts';

interface Tolerance {
  /** Allowed |got - want| over |want|. */
  readonly relative: number;
  /** Allowed |got - want|. */
  readonly absolute: number;
  /** Allowed |got - want| over the same op on absolute values: rounding of a sum grows with its terms. */
  readonly terms?: number;
  readonly why: string;
}

const EXACT: Tolerance = { relative: 0, absolute: 0, why: 'moves or compares numbers' };
const ROUNDED: Tolerance = { relative: 4e-7, absolute: 0, why: 'one operation, correct to 2.5 ulp' };
const ROOT: Tolerance = { relative: 1e-6, absolute: 0, why: 'WGSL: two operations of 2 to 2.5 ulp each' };
const ELEMENTARY: Tolerance = {
  relative: 4e-6,
  absolute: 1e-7,
  why: 'device exp: 3 ulp plus 2 ulp a unit of |x|',
};
const FITTED: Tolerance = {
  relative: 0,
  absolute: 4e-7,
  why: 'a polynomial fitted to 1e-7 evaluated in float32',
};
const EXP_OF_DIFFERENCES: Tolerance = {
  relative: 3e-5,
  absolute: 1e-8,
  why: 'exp of differences, whose rounding the exponential magnifies',
};
const SUMMED: Tolerance = {
  relative: 1e-6,
  absolute: 0,
  terms: 1e-6,
  why: 'up to 1537 additions in float32',
};

const TOLERANCE: Readonly<Record<string, Tolerance>> = {
  ...Object.fromEntries(
    [
      ...'neg abs relu copy maximum minimum maximumScalar minimumScalar where concat embedding iota full constant'.split(
        ' ',
      ),
      ...'equal less lessEqual greater greaterEqual equalScalar lessScalar lessEqualScalar greaterScalar'.split(
        ' ',
      ),
      ...'greaterEqualScalar causalMask amax amin reshape permute slice expand clamp pad'.split(' '),
      ...'maxPool2d upsampleNearest2d'.split(' '),
    ].map((op) => [op, EXACT]),
  ),
  ...Object.fromEntries(
    'add sub mul div reciprocal addScalar mulScalar divScalar rsubScalar rdivScalar leakyRelu'
      .split(' ')
      .map((op) => [op, ROUNDED]),
  ),
  sqrt: ROOT,
  rsqrt: ROOT,
  expSub: {
    ...ELEMENTARY,
    relative: 4e-5,
    absolute: 1e-30,
    why: 'WGSL: 3 + 2|x| ulp, and differences round',
  },
  exp: { ...ELEMENTARY, relative: 4e-5, absolute: 0, why: 'WGSL: 3 + 2|x| ulp, and |x| reaches 88' },
  log: { relative: 4e-6, absolute: 5e-7, why: 'WGSL: 2^-21 between 0.5 and 2, 3 ulp elsewhere' },
  sigmoid: ELEMENTARY,
  silu: ELEMENTARY,
  tanh: { ...ELEMENTARY, absolute: 1e-6, why: 'WGSL derives it from exponentials' },
  gelu: { ...ELEMENTARY, absolute: 2e-6, why: '1 + tanh cancels for negative x' },
  pow: { relative: 3e-5, absolute: 0, why: 'exp2(y · log2 x): the error of the logarithm times y' },
  powScalar: { relative: 3e-5, absolute: 0, why: 'as pow' },
  sin: { ...FITTED, absolute: 1.5e-6, why: 'angles up to 1e4: π/2 in three parts of float32' },
  cos: { ...FITTED, absolute: 1.5e-6, why: 'as sin' },
  erf: FITTED,
  softmax: EXP_OF_DIFFERENCES,
  causalSoftmax: EXP_OF_DIFFERENCES,
  logSoftmax: { relative: 4e-6, absolute: 1e-6, why: 'a difference of a difference and a logarithm' },
  geglu: { ...ELEMENTARY, absolute: 6e-6, why: 'as gelu, times a factor up to 3' },
  fused: { relative: 1e-5, absolute: 6e-6, why: 'as its parts, which sums may cancel' },
  matmul: SUMMED,
  einsum: SUMMED,
  conv2d: SUMMED,
  convTranspose2d: SUMMED,
  avgPool2d: SUMMED,
  linear: SUMMED,
  sum: SUMMED,
  mean: SUMMED,
  rotary: { relative: 0, absolute: 0, terms: 3e-7, why: 'two products and a sum, which may cancel' },
  layerNorm: {
    relative: 1e-5,
    absolute: 3e-6,
    why: 'a sum of up to 1030 squares',
  },
  layerMoments: { relative: 1e-5, absolute: 3e-6, why: 'as layerNorm' },
  layerNormalise: { relative: 1e-5, absolute: 3e-6, why: 'as layerNorm' },
  groupMoments: { relative: 1e-5, absolute: 3e-6, why: 'as groupNorm' },
  groupNormalise: { relative: 1e-5, absolute: 3e-6, why: 'as groupNorm' },
  mergeMoments: { relative: 1e-5, absolute: 3e-6, why: 'as groupNorm' },
  groupNorm: { relative: 1e-5, absolute: 3e-6, why: 'a sum of up to 5115 squares' },
  rmsNorm: { relative: 1e-5, absolute: 0, why: 'a sum of up to 1030 squares' },
};

const LARGEST = 3.4028234663852886e38;
const SMALLEST_NORMAL = 1.1754943508222875e-38;

/** The first wrong element, in words, or undefined. */
export function difference(got: ArrayLike<number>, want: Float64Array, drawn: Drawn): string | undefined {
  const tolerance = TOLERANCE[drawn.def.name];
  if (!tolerance) return `no tolerance is stated for ${drawn.def.name}`;
  const scale = tolerance.terms ? termsOf(drawn) : undefined;
  for (let i = 0; i < want.length; i++) {
    const [actual, expected] = [got[i] as number, want[i] as number];
    const allowed =
      tolerance.absolute +
      tolerance.relative * Math.abs(expected) +
      (tolerance.terms ?? 0) * (scale?.[i] ?? 0) +
      // Devices may flush what is too small for a normal float32.
      SMALLEST_NORMAL;
    const overflow =
      Math.abs(expected) > LARGEST && Math.abs(actual) >= 0.99 * LARGEST && actual * expected > 0;
    if (!overflow && !(Math.abs(actual - expected) <= allowed)) {
      return `element ${i}: got ${actual}, expected ${expected} ± ${allowed} (${tolerance.why})`;
    }
  }
  return undefined;
}

function termsOf({ def, operands, attrs, shape }: Drawn): Float64Array {
  const magnitudes: RefTensor[] = operands.map((operand) => ({
    shape: operand.shape,
    data: operand.data.map(Math.abs),
  }));
  if (def.name !== 'rotary') return def.reference(magnitudes, attrs, shape);
  // |a cos - b sin| ≤ |a cos| + |b sin|: take both members as sums.
  const [x, cos, sin] = magnitudes as [RefTensor, RefTensor, RefTensor];
  const largest = Math.max(...x.data) * Math.max(...cos.data, ...sin.data);
  return new Float64Array(x.data.length).fill(2 * largest);
}
