import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Compilation, compileModel, type Plan } from 'autochunk';
import { type BackendName, type Device, openDevice } from 'autochunk/runtime';
import { matchParameters } from 'autochunk/weights';
import { type Comparison, compare } from './compare.ts';
import { decodeGreedily } from './decode.ts';
import type { Forward } from './forward.ts';
import { stories260K } from './model.ts';
import { readStories260K, type Stories260K, weightNames } from './weights.ts';

/** A float32 implementation with its own order of summation stays within this of the float64 reference. */
export const LOGIT_TOLERANCE = 2e-4;

export interface StoryOptions {
  /** The best one of this machine when absent. */
  readonly backend?: BackendName;
  /** Tokens of the pass that is measured. */
  readonly length?: number;
  /** Share of the unchunked activation peak. */
  readonly budget?: `${number}%`;
  /** Tokens to tell. */
  readonly steps?: number;
  /** Timed runs of each variant. */
  readonly rounds?: number;
  /** Where to write the generated modules, if anywhere. */
  readonly folder?: string;
  /** Receives the report and the story as they come. */
  readonly print?: (text: string) => void;
}

export interface StoryResult {
  readonly backend: BackendName;
  readonly compilation: Compilation;
  readonly comparison: Comparison;
  readonly text: string;
  /** The promises that were broken. */
  readonly faults: readonly string[];
}

/**
 * The whole journey on a real model: compiles stories260K for a fifth of its activation memory, holds the chunked module
 * against the unchunked one and against the original implementation, and lets it tell its story.
 */
export async function tellStory(options: StoryOptions = {}): Promise<StoryResult> {
  const { length = 512, budget = '20%', steps = 200, rounds = 5 } = options;
  const print = options.print ?? (() => {});
  const say = (label: string, ...texts: string[]): void =>
    print(texts.map((text, i) => `${(i === 0 ? label : '').padEnd(13)}${text}\n`).join(''));
  const data = readStories260K();
  const device = await openDevice({ backend: options.backend ?? 'auto' });
  try {
    say('model', `stories260K, a Llama of 5 layers, on N = ${length} tokens`);
    say('backend', `${device.backend} (${device.adapter})`);
    const compilation = await compileAt(device, length, budget, options.folder);
    const { plan } = compilation;
    say('budget', `${budget} of the activation memory, met by ${plan.loops.length} chunk loops`);

    const weights = matchParameters(plan.program.params, data.weights.tensors, {
      ...weightNames,
      file: data.weights.file,
    });
    const tokens = data.storyTokens.slice(0, length);
    const comparison = await compare(device, compilation, weights, tokens, data.referenceLogits, rounds);
    say('peak', ...peakLines(plan, comparison));
    say('time', timeLine(comparison, rounds));
    say('logits', ...logitLines(comparison));

    say('story', `decoded greedily by the chunked module, a whole pass of N = ${length} for every token`);
    print('\n');
    const text = await tell(comparison.chunked, data, steps, print);
    print('\n\n');

    const faults = faultsOf(plan, comparison);
    if (text !== publishedText(data, steps)) faults.push('the story is not the published one');
    say(
      'verdict',
      ...(faults.length === 0 ? [`all kept; the ${steps} tokens are the published ones`] : faults),
    );
    if (options.folder !== undefined) say('read it', join(options.folder, moduleName(length)));
    return { backend: device.backend, compilation, comparison, text, faults };
  } finally {
    await device.destroy();
  }
}

async function compileAt(
  device: Device,
  length: number,
  budget: string,
  folder: string | undefined,
): Promise<Compilation> {
  const compilation = await compileModel(stories260K, {
    dims: { N: length },
    budget,
    backend: device.backend,
    cap: device.maxStorageBytes,
    modelFile: 'models/llama/model.ts',
  });
  if (folder !== undefined) writeModule(folder, moduleName(length), compilation.source);
  return compilation;
}

/** Decodes greedily; every token is a whole pass, since there is no key-value cache. */
async function tell(
  forward: Forward,
  { tokenizer, storyTokens }: Stories260K,
  steps: number,
  print: (text: string) => void,
): Promise<string> {
  let told = '';
  await decodeGreedily(forward.next, storyTokens.slice(0, 1), steps, (tokens) => {
    const text = tokenizer.decode(tokens);
    print(text.slice(told.length));
    told = text;
  });
  return told;
}

/** The beginning of the published story. */
const publishedText = ({ story, storyTokens, tokenizer }: Stories260K, steps: number): string =>
  steps === storyTokens.length - 1 ? story : tokenizer.decode(storyTokens.slice(0, steps + 1));

function faultsOf(plan: Plan, { measured, identical, referenceDifference }: Comparison): string[] {
  const promises: [boolean, string][] = [
    [measured.unchunked === plan.unchunked.peakBytes, 'the unchunked peak is not the planned one'],
    [measured.chunked === plan.planned.peakBytes, 'the chunked peak is not the planned one'],
    [measured.chunked <= plan.budgetBytes, 'the chunked peak is above the budget'],
    [identical, 'chunked and unchunked logits differ'],
    [referenceDifference <= LOGIT_TOLERANCE, 'the logits are not those of the original implementation'],
  ];
  return promises.filter(([kept]) => !kept).map(([, fault]) => fault);
}

function peakLines({ unchunked, planned }: Plan, { measured }: Comparison): string[] {
  const share = ((100 * measured.chunked) / measured.unchunked).toFixed(1);
  return [
    `unchunked  ${mebibytes(unchunked.peakBytes)} planned, ${mebibytes(measured.unchunked)} measured`,
    `chunked    ${mebibytes(planned.peakBytes)} planned, ${mebibytes(measured.chunked)} measured: ${share} %`,
  ];
}

function timeLine({ medianMs: { unchunked, chunked } }: Comparison, rounds: number): string {
  const ratio = (chunked / unchunked).toFixed(2);
  return `unchunked ${unchunked.toFixed(0)} ms, chunked ${chunked.toFixed(0)} ms: × ${ratio} (medians of ${rounds}, alternating)`;
}

const logitLines = ({ identical, difference, referenceDifference }: Comparison): string[] => [
  identical ? 'chunked = unchunked, bit for bit' : `chunked and unchunked differ by up to ${difference}`,
  `within ${referenceDifference.toExponential(1)} of the original implementation in float64 (tolerance ${LOGIT_TOLERANCE.toExponential(0)})`,
];

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB (${bytes} bytes)`;

const moduleName = (length: number): string => `llama.n${length}.ts`;

/** Writes a file as a whole. */
function writeModule(folder: string, name: string, source: string): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, source);
  renameSync(temporary, path);
}
