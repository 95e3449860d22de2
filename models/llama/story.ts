import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Compilation, compileModel, generate, unchunkedPlan } from 'autochunk';
import { type BackendName, type Device, openDevice } from 'autochunk/runtime';
import { matchParameters, type WeightTensor } from 'autochunk/weights';
import { decodeGreedily } from './decode.ts';
import { type Forward, loadForward } from './forward.ts';
import { stories260K } from './model.ts';
import { readStories260K, type Stories260K, weightNames } from './weights.ts';

/** A float32 implementation with its own order of summation stays within this of the float64 reference. */
export const LOGIT_TOLERANCE = 2e-4;

export interface StoryOptions {
  /** The best one of this machine when absent. */
  readonly backend?: BackendName;
  /** Tokens of a whole pass. */
  readonly length?: number;
  /** Share of the unchunked activation peak. */
  readonly budget?: `${number}%`;
  /** Tokens to tell. */
  readonly steps?: number;
  /** Timed runs of each variant. */
  readonly rounds?: number;
  /** Where to write the generated module, if anywhere. */
  readonly folder?: string;
  /** Receives the report and the story as they come. */
  readonly print?: (text: string) => void;
}

export interface StoryResult {
  readonly backend: BackendName;
  readonly compilation: Compilation;
  /** Peak bytes of activations as counted by the device. */
  readonly measured: Pair;
  readonly medianMs: Pair;
  /** Whether chunked and unchunked logits agree bit for bit. */
  readonly identical: boolean;
  /** Largest difference between the chunked logits and those of the original implementation. */
  readonly referenceDifference: number;
  /** What was told. */
  readonly text: string;
  /** What went wrong; empty when every promise was kept. */
  readonly faults: readonly string[];
}

interface Pair {
  readonly unchunked: number;
  readonly chunked: number;
}

/**
 * The whole journey on a real model: compiles stories260K for a fifth of its activation memory, holds the chunked module
 * against the unchunked one and against the original implementation, and lets it tell its story.
 */
export async function tellStory(options: StoryOptions = {}): Promise<StoryResult> {
  const { length = 512, budget = '20%', steps = 200, rounds = 7, print = () => {} } = options;
  const say = (label: string, text: string): void => print(`${label.padEnd(15)}${text}\n`);
  const data = readStories260K();
  const device = await openDevice({ backend: options.backend ?? 'auto' });
  try {
    say('model', `stories260K, a Llama of 5 layers, at N = ${length} tokens`);
    say('backend', `${device.backend} (${device.adapter})`);

    const compilation = await compileAt(device, length, budget);
    const { plan, source } = compilation;
    const path =
      options.folder === undefined ? undefined : writeModule(options.folder, `llama.n${length}.ts`, source);
    say('budget', `${budget} of the activation memory: ${plan.loops.length} chunk loops`);

    const weights = matchParameters(plan.program.params, data.weights.tensors, {
      ...weightNames,
      file: data.weights.file,
    });
    const chunked = await loadForward(device, source, weights);
    const unchunked = await loadForward(device, await generate(unchunkedPlan(plan)), weights);
    const cut = await chunked.pass(data.storyTokens.slice(0, length));
    const whole = await unchunked.pass(data.storyTokens.slice(0, length));
    const measured = { unchunked: whole.peakBytes, chunked: cut.peakBytes };
    const share = (100 * measured.chunked) / measured.unchunked;
    say('peak', `unchunked  ${mib(plan.unchunked.peakBytes)} planned, ${mib(measured.unchunked)} measured`);
    say(
      '',
      `chunked    ${mib(plan.planned.peakBytes)} planned, ${mib(measured.chunked)} measured: ${share.toFixed(1)} %`,
    );

    const medianMs = await alternate(rounds, data, unchunked, chunked);
    const ratio = medianMs.chunked / medianMs.unchunked;
    say(
      'time',
      `unchunked ${medianMs.unchunked.toFixed(1)} ms, chunked ${medianMs.chunked.toFixed(1)} ms: × ${ratio.toFixed(2)} (medians of ${rounds}, alternating)`,
    );

    const identical = sameBits(cut.logits, whole.logits);
    const referenceDifference = maxDifference(cut.logits, data.referenceLogits);
    say(
      'logits',
      identical
        ? 'chunked = unchunked, bit for bit'
        : `chunked and unchunked differ by up to ${maxDifference(cut.logits, whole.logits)}`,
    );
    say(
      '',
      `within ${referenceDifference.toExponential(1)} of the original implementation in float64 (tolerance ${LOGIT_TOLERANCE})`,
    );

    print('\n');
    const text = await tell(await storyForwards(device, weights, chunked, budget, steps), data, steps, print);
    print('\n\n');

    const faults = [
      measured.unchunked !== plan.unchunked.peakBytes && 'the unchunked peak is not the planned one',
      measured.chunked !== plan.planned.peakBytes && 'the chunked peak is not the planned one',
      measured.chunked > plan.budgetBytes && 'the chunked peak is above the budget',
      !identical && 'chunked and unchunked logits differ',
      !(referenceDifference <= LOGIT_TOLERANCE) && 'the logits are not those of the original implementation',
      text !== data.tokenizer.decode(data.storyTokens.slice(0, steps + 1)) &&
        'the story is not the published one',
    ].filter((fault) => fault !== false);
    say(
      'story',
      `${steps} tokens${faults.length === 0 ? ', exactly the published ones' : `: ${faults.join('; ')}`}`,
    );
    if (path !== undefined) say('read it', path);
    return {
      backend: device.backend,
      compilation,
      measured,
      medianMs,
      identical,
      referenceDifference,
      text,
      faults,
    };
  } finally {
    await device.destroy();
  }
}

const compileAt = (device: Device, length: number, budget: string): Promise<Compilation> =>
  compileModel(stories260K, {
    dims: { N: length },
    budget,
    backend: device.backend,
    cap: device.maxStorageBytes,
    modelFile: 'models/llama/model.ts',
  });

/**
 * Tells the story token by token. Every token is a whole pass, so that short beginnings run through modules compiled for
 * short lengths, chunked for the same share of their memory.
 */
async function storyForwards(
  device: Device,
  weights: ReadonlyMap<string, WeightTensor>,
  longest: Forward,
  budget: string,
  steps: number,
): Promise<Forward[]> {
  const forwards: Forward[] = [];
  for (let length = 64; length < longest.length && (forwards.at(-1)?.length ?? 0) < steps; length *= 2)
    forwards.push(await loadForward(device, (await compileAt(device, length, budget)).source, weights));
  return [...forwards, longest];
}

async function tell(
  forwards: readonly Forward[],
  { tokenizer, storyTokens }: Stories260K,
  steps: number,
  print: (text: string) => void,
): Promise<string> {
  let told = '';
  const tokens = await decodeGreedily(
    (tokens) => (forwards.find(({ length }) => length >= tokens.length) as Forward).next(tokens),
    storyTokens.slice(0, 1),
    steps,
    (tokens) => {
      const text = tokenizer.decode(tokens);
      print(text.slice(told.length));
      told = text;
    },
  );
  return tokenizer.decode(tokens);
}

/** Medians of alternating runs, after one of each to warm up. */
async function alternate(
  rounds: number,
  { storyTokens }: Stories260K,
  unchunked: Forward,
  chunked: Forward,
): Promise<Pair> {
  const times = { unchunked: [] as number[], chunked: [] as number[] };
  for (let round = -1; round < rounds; round++) {
    for (const [name, forward] of Object.entries({ unchunked, chunked }) as [keyof Pair, Forward][]) {
      const start = performance.now();
      await forward.pass(storyTokens.slice(0, forward.length));
      if (round >= 0) times[name].push(performance.now() - start);
    }
  }
  return { unchunked: median(times.unchunked), chunked: median(times.chunked) };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

/** Over the elements that both have. */
function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    // NaN is as different as can be.
    if (!(difference <= most)) most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return most;
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;

/** Writes `name` in `folder` as a whole and returns its path. */
function writeModule(folder: string, name: string, source: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, source);
  renameSync(temporary, path);
  return path;
}
