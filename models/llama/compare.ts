import { type Compilation, generate, unchunkedPlan } from 'autochunk';
import type { Device } from 'autochunk/runtime';
import type { WeightTensor } from 'autochunk/weights';
import { type Forward, loadForward } from './forward.ts';

export interface Pair {
  readonly unchunked: number;
  readonly chunked: number;
}

/** A chunked module beside the unchunked one of the same plan. */
export interface Comparison {
  readonly chunked: Forward;
  /** Peak bytes of activations as counted by the device. */
  readonly measured: Pair;
  /** Milliseconds a pass. */
  readonly medianMs: Pair;
  /** Whether all logits agree bit for bit. */
  readonly identical: boolean;
  /** Largest difference between chunked and unchunked logits. */
  readonly difference: number;
  /** Largest difference between the chunked logits and the reference, over the positions that both have. */
  readonly referenceDifference: number;
}

/** Runs a compiled model with and without its loops on the same tokens. */
export async function compare(
  device: Device,
  { plan, source }: Compilation,
  weights: ReadonlyMap<string, WeightTensor>,
  tokens: readonly number[],
  referenceLogits: ArrayLike<number>,
  rounds: number,
): Promise<Comparison> {
  const chunked = await loadForward(device, source, weights);
  const unchunked = await loadForward(device, await generate(unchunkedPlan(plan)), weights);
  // These passes also warm up both for the timing.
  const whole = await unchunked.pass(tokens);
  const cut = await chunked.pass(tokens);
  const times: { unchunked: number[]; chunked: number[] } = { unchunked: [], chunked: [] };
  for (let round = 0; round < rounds; round++) {
    times.unchunked.push(await timed(() => unchunked.pass(tokens)));
    times.chunked.push(await timed(() => chunked.pass(tokens)));
  }
  return {
    chunked,
    measured: { unchunked: whole.peakBytes, chunked: cut.peakBytes },
    medianMs: { unchunked: median(times.unchunked), chunked: median(times.chunked) },
    identical: sameBits(whole.logits, cut.logits),
    difference: maxDifference(whole.logits, cut.logits),
    referenceDifference: maxDifference(cut.logits, referenceLogits),
  };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

/** Over the elements that both have; a NaN is infinitely far off. */
function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    if (!(difference <= most)) most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return most;
}
