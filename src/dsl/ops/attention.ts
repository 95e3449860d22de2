import { type Shape as AnyShape, type Dim, divDims, printShape } from '../../ir/dims.ts';
import type { Attrs } from '../../ir/node.ts';
import { recorder } from '../../trace/recorder.ts';
import type { IsOpen, LastOf, ReplaceLast, Same, Shape, Show } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { emit, expectThat } from './emit.ts';
import { scalar } from './generate.ts';

const LOWEST_F32 = -3.4028234663852886e38;

/**
 * Scores [..., queries, keys] with those of later keys replaced by the lowest finite number. Row i is the query at
 * position `rowStart + i`, column j the key at `columnStart + j` (both 0 by default).
 */
export function causalMask<S extends Shape>(
  scores: Tensor<S>,
  options: { readonly rowStart?: Dim; readonly columnStart?: Dim } = {},
): Tensor<S> {
  return emit('causalMask', [scores], {
    rowStart: options.rowStart ?? 0,
    columnStart: options.columnStart ?? 0,
  });
}

export interface RopeOptions {
  /** Base of the frequencies. Default: 10000. */
  readonly theta?: number;
  /** Position of the first row. Default: 0. */
  readonly start?: Dim;
  /** Changes the frequencies (radians per position, one a channel pair), as long-context variants do. */
  readonly scaling?: (frequencies: readonly number[]) => readonly number[];
}

/** Cosines and sines of rotary position embeddings. */
export interface RopeTables<N extends Dim = Dim, H extends Dim = Dim> {
  readonly cos: Tensor<readonly [N, H]>;
  readonly sin: Tensor<readonly [N, H]>;
}

/** Tables [length, channels / 2] for {@link rotary}: angle of pair i at position p is p · theta^(-2i / channels). */
export function ropeTables<const N extends Dim>(
  length: N,
  channels: number,
  options: RopeOptions = {},
): RopeTables<N, number> {
  const { theta = 10000, start = 0, scaling = (frequencies) => frequencies } = options;
  expectThat(
    Number.isInteger(channels) && channels > 0 && channels % 2 === 0,
    'ropeTables',
    () => `expected an even number of channels, got ${channels}`,
  );
  const half = channels / 2;
  const frequencies = scaling(Array.from({ length: half }, (_, i) => theta ** (-i / half)));
  expectThat(
    frequencies.length === half,
    'ropeTables',
    () => `expected ${half} scaled frequencies, got ${frequencies.length}`,
  );
  const steps = emit('iota', [], { length, start, step: 1 }, { name: 'steps' });
  const positions = emit('reshape', [steps], { shape: [length, 1] }, { name: 'positions' });
  const values = frequencies.map(Math.fround);
  const turns = emit('constant', [], { shape: [1, half], values }, { name: 'frequencies' });
  const angles = emit('mul', [positions, turns], {}, { name: 'angles' });
  return {
    cos: emit('cos', [angles], {}, { name: 'cos' }),
    sin: emit('sin', [angles], {}, { name: 'sin' }),
  };
}

/**
 * Rotary position embedding of [..., positions, channels]. Pairs of channels are the two halves (Hugging Face), or
 * neighbours with `interleaved: true` (llama2.c). Takes tables of {@link ropeTables} or the options to make them.
 */
export function rotary<S extends Shape>(
  x: Tensor<S>,
  rope: RopeTables | RopeOptions = {},
  options: { readonly interleaved?: boolean } = {},
): Tensor<S> {
  const { cos, sin } = 'cos' in rope ? rope : tablesFor(x.shape, rope);
  return emit('rotary', [x, cos, sin], { interleaved: options.interleaved ?? false });
}

function tablesFor(shape: AnyShape, options: RopeOptions): RopeTables {
  const [positions, channels] = shape.slice(-2);
  expectThat(
    positions !== undefined && typeof channels === 'number',
    'rotary',
    () => `expected [..., positions, channels] with a known number of channels, got ${printShape(shape)}`,
  );
  return ropeTables(positions, channels, options);
}

export interface AttentionOptions {
  /** Each query sees the keys up to its own position. Default: false. */
  readonly causal?: boolean;
  /** Factor of the scores. Default: 1 / √channels. */
  readonly scale?: number;
  /** Added to the scores [..., queries, keys] (f32), or 1 where a key is seen and 0 where not (i32). */
  readonly mask?: Tensor;
  /** Position of the first query among the keys, for causal attention. Default: 0. */
  readonly queryStart?: Dim;
}

type FitsKey<Q extends Shape, K extends Shape> =
  IsOpen<Q> extends true
    ? unknown
    : IsOpen<K> extends true
      ? unknown
      : Same<LastOf<Q>, LastOf<K>> extends true
        ? unknown
        : `scaledDotProductAttention: queries ${Show<Q>} and keys ${Show<K>} differ in channels`;

/**
 * softmax(q · kᵀ · scale + mask) · v for q [..., heads, n, d], k [..., kvHeads, m, d], v [..., kvHeads, m, e]. With fewer
 * key heads than query heads, each serves a group of heads / kvHeads consecutive query heads; keys are not repeated.
 */
export function scaledDotProductAttention<Q extends Shape, K extends Shape, V extends Shape>(
  q: Tensor<Q>,
  k: Tensor<K> & FitsKey<Q, K>,
  v: Tensor<V>,
  options: AttentionOptions = {},
): Tensor<ReplaceLast<Q, LastOf<V>>> {
  return recorder('scaledDotProductAttention').asOneCall(() => attendInGroups(q, k, v, options));
}

function attendInGroups<S extends Shape>(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions,
): Tensor<S> {
  const groups = groupsOf(q.shape, k.shape);
  if (groups === undefined) return attend(q, k, v, options);
  const grouped = (x: Tensor, heads: readonly Dim[], name: string): Tensor =>
    view('reshape', x, { shape: [...x.shape.slice(0, -3), ...heads, ...x.shape.slice(-2)] }, name);
  const { kvHeads, group } = groups;
  const mask = options.mask && groupedMask(options.mask, q.shape.at(-3) as Dim, groups);
  const context = attend(
    grouped(q, [kvHeads, group], 'groupedQueries'),
    grouped(k, [kvHeads, 1], 'groupedKeys'),
    grouped(v, [kvHeads, 1], 'groupedValues'),
    mask ? { ...options, mask } : options,
    'groupedContext',
  );
  const shape = [...q.shape.slice(0, -1), context.shape.at(-1) as Dim];
  return emit('reshape', [context], { shape }, { fallback: 'context' });
}

interface Groups {
  readonly kvHeads: Dim;
  readonly group: Dim;
}

function groupsOf(q: AnyShape, k: AnyShape): Groups | undefined {
  const [heads, kvHeads] = [q.at(-3), k.at(-3)];
  if (q.length < 3 || k.length < 3 || heads === kvHeads || heads === 1 || kvHeads === 1) return undefined;
  const group = divDims(heads as Dim, kvHeads as Dim);
  expectThat(
    group !== undefined,
    'scaledDotProductAttention',
    () =>
      `${heads} query heads are not a multiple of ${kvHeads} key heads: ${printShape(q)} and ${printShape(k)}`,
  );
  return { kvHeads: kvHeads as Dim, group };
}

/** A mask with a head axis follows the grouping of the heads. */
function groupedMask(mask: Tensor, heads: Dim, { kvHeads, group }: Groups): Tensor {
  const own = mask.shape.at(-3);
  if (own === undefined) return mask;
  const split = own === heads ? [kvHeads, group] : [own, 1];
  return view(
    'reshape',
    mask,
    { shape: [...mask.shape.slice(0, -3), ...split, ...mask.shape.slice(-2)] },
    'groupedMask',
  );
}

const view = (op: string, x: Tensor, attrs: Attrs, name: string): Tensor => emit(op, [x], attrs, { name });

/** Recorded as its parts, so that each can be cut. The scale is applied to the queries: the smaller operand. */
function attend<S extends Shape>(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions,
  name?: string,
): Tensor<S> {
  const channels = q.shape.at(-1);
  expectThat(
    options.scale !== undefined || typeof channels === 'number',
    'scaledDotProductAttention',
    () => `the number of channels of ${printShape(q.shape)} is symbolic; pass { scale }`,
  );
  const scale = options.scale ?? 1 / Math.sqrt(channels as number);
  const queries = scale === 1 ? q : emit('mulScalar', [q], { value: scale }, { name: 'scaledQueries' });
  const rank = k.shape.length;
  const axes = k.shape.map((_, axis) => (axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis));
  let scores: Tensor = emit(
    'matmul',
    [queries, view('permute', k, { axes }, 'keysTransposed')],
    {},
    { name: 'scores' },
  );
  if (options.mask) scores = withMask(scores, options.mask);
  if (options.causal) {
    const attrs = { rowStart: options.queryStart ?? 0, columnStart: 0 };
    scores = emit('causalMask', [scores], attrs, { name: 'maskedScores' });
  }
  const weights = emit('softmax', [scores], { axis: scores.shape.length - 1 }, { name: 'attention' });
  return emit('matmul', [weights, v], {}, name === undefined ? { fallback: 'context' } : { name });
}

function withMask(scores: Tensor, mask: Tensor): Tensor {
  return mask.dtype === 'i32'
    ? emit('where', [mask, scores, scalar(LOWEST_F32, 'lowest')], {}, { name: 'maskedScores' })
    : emit('add', [scores, mask], {}, { name: 'maskedScores' });
}
