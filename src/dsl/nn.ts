/** Layers with parameters: each opens the scope `name` and declares its weights there under PyTorch's names. */
import { printShape } from '../ir/dims.ts';
import { recorder } from '../trace/recorder.ts';
import { type ConvOptions, groupSize, pair, windowAttrs } from './ops/conv.ts';
import { emit, expectThat } from './ops/emit.ts';
import type { GroupNormOptions } from './ops/group-norm.ts';
import { param, scope } from './scope.ts';
import type { Dim, LastOf, ReplaceLast, Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';
import type { IsImage, Keeps, Pair, Slid } from './window-shapes.ts';

export interface LinearOptions {
  /** Default: true. */
  readonly bias?: boolean;
  /** The weight is stored [in, out] (GPT-2's Conv1D) instead of [out, in]. Default: false. */
  readonly transposed?: boolean;
}

function lastOf<S extends Shape>(what: string, x: Tensor<S>): LastOf<S> {
  const last = x.shape.at(-1);
  expectThat(last !== undefined, what, () => `expected at least one axis, got ${printShape(x.shape)}`);
  return last as LastOf<S>;
}

/** Runs the body of a layer in its scope. */
const layer = <T>(name: string, body: () => T): T => recorder('scope').asOneCall(() => scope(name, body));

/** The last part of a path, for naming values after layers. */
const leaf = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** x · wᵀ + b over the last axis, with parameters `weight` and `bias`. */
function linear<S extends Shape, const O extends Dim>(
  name: string,
  x: Tensor<S>,
  out: O,
  options: LinearOptions = {},
): Tensor<ReplaceLast<S, O>> {
  const { bias = true, transposed = false } = options;
  const inputs: Dim = lastOf('linear', x);
  return layer(name, () => {
    const operands: Tensor[] = [x, param('weight', transposed ? [inputs, out] : [out, inputs])];
    if (bias) operands.push(param('bias', [out]));
    return emit('linear', operands, { transposed }, { fallback: leaf(name) });
  });
}

/** Rows of the table `weight` [v, d] for i32 ids. Ids that are a model input are checked against v when it runs. */
function embedding<I extends Shape, V extends Dim, const D extends Dim>(
  name: string,
  ids: Tensor<I>,
  shape: readonly [V, D],
): Tensor<[...I, D]> {
  return layer(name, () => {
    recorder('embedding').bound('embedding', ids, shape[0]);
    return emit('embedding', [param('weight', shape), ids], {}, { fallback: leaf(name) });
  });
}

/** Learned positions: the first `length` rows of the table `weight` [most, d]. */
function positions<const N extends Dim, const D extends Dim>(
  name: string,
  length: N,
  shape: readonly [number, D],
): Tensor<[N, D]> {
  return layer(name, () =>
    emit('slice', [param('weight', shape)], { axis: 0, start: 0, length }, { fallback: leaf(name) }),
  );
}

/** Layer normalisation over the last axis, with parameters `weight` and `bias`; epsilon defaults to 1e-5. */
function layerNorm<S extends Shape>(
  name: string,
  x: Tensor<S>,
  options: { readonly epsilon?: number } = {},
): Tensor<S> {
  const channels: Dim = lastOf('layerNorm', x);
  return layer(name, () =>
    emit(
      'layerNorm',
      [x, param('weight', [channels]), param('bias', [channels])],
      { epsilon: options.epsilon ?? 1e-5 },
      { fallback: leaf(name) },
    ),
  );
}

/** Root-mean-square normalisation over the last axis, with parameter `weight`; epsilon defaults to 1e-6. */
function rmsNorm<S extends Shape>(
  name: string,
  x: Tensor<S>,
  options: { readonly epsilon?: number } = {},
): Tensor<S> {
  const channels: Dim = lastOf('rmsNorm', x);
  return layer(name, () =>
    emit(
      'rmsNorm',
      [x, param('weight', [channels])],
      { epsilon: options.epsilon ?? 1e-6 },
      { fallback: leaf(name) },
    ),
  );
}

/** Group normalisation of [n, c, …], with parameters `weight` and `bias`; epsilon defaults to 1e-5. */
function groupNorm<S extends Shape>(name: string, x: Tensor<S>, options: GroupNormOptions): Tensor<S> {
  const { groups, epsilon = 1e-5 } = options;
  return layer(name, () => {
    const channelsPerGroup: Dim = groupSize('groupNorm', x.shape, groups);
    const channels = x.shape[1] as Dim;
    return emit(
      'groupNorm',
      [x, param('weight', [channels]), param('bias', [channels])],
      { channelsPerGroup, epsilon },
      { fallback: leaf(name) },
    );
  });
}

export interface ConvLayerOptions extends ConvOptions {
  /** Default: true. */
  readonly bias?: boolean;
}

/** Convolution of an image [n, c, rows, columns], with parameters `weight` and `bias`, as PyTorch's Conv2d. */
function conv2d<
  X extends Shape,
  const C extends Dim,
  const K extends Pair,
  const O extends ConvLayerOptions = Record<never, never>,
>(
  name: string,
  x: Tensor<X> & IsImage<'conv2d', X>,
  outChannels: C,
  kernel: K,
  options?: O,
): Tensor<Slid<X, C, Keeps<K, O>>> {
  const { bias = true, ...given }: ConvLayerOptions = options ?? {};
  return layer(name, () => {
    const inGroup = groupSize('conv2d', x.shape, given.groups ?? 1);
    const operands: Tensor[] = [x, param('weight', [outChannels, inGroup, ...pair(kernel)])];
    if (bias) operands.push(param('bias', [outChannels]));
    return emit('conv2d', operands, windowAttrs('conv2d', given), { fallback: leaf(name) });
  });
}

export const nn = { linear, embedding, positions, layerNorm, rmsNorm, groupNorm, conv2d } as const;
