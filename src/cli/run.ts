import type { Command } from 'commander';
import { UserError } from '../errors.ts';
import { formatBytes } from '../ir/bytes.ts';
import { printShape } from '../ir/dims.ts';
import { formatDims, formatMs, formatPercent, formatSlowdown, formatTable } from '../report/format.ts';
import type { RunProgress } from '../runtime/index.ts';
import { randomData } from '../testing/random.ts';
import { encodeSafetensors, findCheckpoint, readCheckpoint } from '../weights/index.ts';
import { DEFAULT_BUDGET_HELP } from './budget.ts';
import { readExtras } from './checkpoint-extras.ts';
import {
  BACKEND_OPTION,
  type DeviceFlags,
  KERNELS_OPTION,
  parseDevice,
  THREADS_OPTION,
} from './device-options.ts';
import { checkInputs } from './inputs.ts';
import { CommandFailed, type Io, printJson, progress } from './io.ts';
import { COST_MODEL_HELP } from './limits.ts';
import { CONFIG_HELP } from './load-model.ts';
import { collect, EXACT, NO_FUSE, parseCount } from './options.ts';
import { compareOutputs, median, type OutputSummary, summariseOutput } from './outputs.ts';
import { type Answers, answers } from './predictions.ts';
import { type RunResult, Session } from './session.ts';
import {
  readParams,
  resolveTarget,
  type Target,
  type TargetFlags,
  type Variant,
  type VariantName,
} from './target.ts';
import { writeFileAtomically } from './write-file.ts';

interface RunFlags extends TargetFlags, DeviceFlags {
  readonly variant?: string;
  readonly tokenizer?: string;
  readonly seed: string;
  readonly repeat: string;
  readonly out?: string;
  readonly profile?: string;
  readonly json?: true;
}

export function addRun(program: Command, io: Io): void {
  program
    .command('run')
    .description('Run a model or a generated module; report its outputs, measured memory and time.')
    .argument('<model|module>', 'path/to/model.ts[#export], or a module written by `autochunk compile`')
    .option(
      '--dims <N=size,…>',
      'sizes of the named dimensions (repeatable); of a module for a range, the size to run',
      collect,
    )
    .option(
      '--budget <budget>',
      `activation memory of the chunked variant: 20%, 512MiB or min (default: ${DEFAULT_BUDGET_HELP})`,
    )
    .option('--cap <bytes>', 'largest single storage (default: what the device can bind)')
    .option(...BACKEND_OPTION)
    .option(...KERNELS_OPTION)
    .option(...THREADS_OPTION)
    .option('--cost-model <file>', COST_MODEL_HELP)
    .option(
      '--variant <which>',
      'unchunked, chunked or both (default: both for a model, chunked for a module)',
    )
    .option('--config <file>', CONFIG_HELP)
    .option(
      '--weights <path>',
      'parameters from a .safetensors file, an index of several, or a folder (default: random, see --seed)',
    )
    .option(
      '--input <name=value>',
      'nested JSON, or a .json, .npy, .safetensors, .png or .jpg file (repeatable; default: random)',
      collect,
    )
    .option('--text <text>', 'a text as token ids')
    .option('--tokenizer <file>', 'tokenizer.json for texts (default: the one beside the weights)')
    .option('--seed <n>', 'seed of random inputs and parameters', '1')
    .option('--repeat <n>', 'timed runs of each variant, alternating, after one that is not timed', '3')
    .option('--out <file>', 'write the outputs to a .safetensors file')
    .option(
      '--profile <file>',
      'run the last variant once more and write its kernels and live bytes as a Chrome / Perfetto trace (.json)',
    )
    .option(...EXACT)
    .option(...NO_FUSE)
    .option('--json', 'print one JSON document on stdout')
    .addHelpText(
      'after',
      `
Examples:
  autochunk run models/llama/model.ts --dims N=64 --budget 20% --weights stories260K.safetensors
  autochunk run models/gpt2/model.ts --weights gpt2/ --text "The capital of France is"
  autochunk run models/vit/model.ts --weights vit-base-patch16-224/ --input pixel_values=cat.jpg
  autochunk run generated/llama.n512.ts --input tokens=tokens.npy --backend cpu
  autochunk run generated/llama.n1-8192.ts --dims N=1000`,
    )
    .action((reference: string, flags: RunFlags) => run(reference, flags, io));
}

async function run(reference: string, flags: RunFlags, io: Io): Promise<void> {
  const seed = parseCount('--seed', flags.seed, 0, 2 ** 32 - 1);
  const repeat = parseCount('--repeat', flags.repeat, 1, 1000);
  const asked = parseDevice(flags);
  const wanted = parseVariant(flags.variant);
  const { weights, config, tokenizer } = flags;
  const folder = weights === undefined ? undefined : findCheckpoint(weights).folder;
  const extras = readExtras({ folder, config, tokenizer });
  // Before anything is compiled: a checkpoint that cannot be read is said at once.
  const checkpoint = weights === undefined ? undefined : readCheckpoint(weights);
  const target = await resolveTarget(reference, flags, asked, extras, io);
  const { signature, given } = target;
  if (!given && signature.inputs.length > 0) progress(io, `no --input: random inputs, seed ${seed}`);
  const inputs = given
    ? checkInputs(signature.inputs, given, extras.preprocessing())
    : randomData(signature, seed).inputs;
  const params = readParams(checkpoint, target, seed, io);

  const sessions: { variant: Variant; session: Session; results: RunResult[] }[] = [];
  try {
    for (const variant of chooseVariants(target, wanted)) {
      const session = await Session.open(
        { ...asked, backend: target.backend ?? 'auto' },
        variant.source,
        signature,
        { inputs, params },
      );
      sessions.push({ variant, session, results: [] });
      const { maxStorageBytes, backend } = session.device;
      if (variant.largestStorageBytes !== undefined && variant.largestStorageBytes > maxStorageBytes) {
        const needs = `the ${variant.name} variant needs one storage of ${formatBytes(variant.largestStorageBytes)}, ${backend} here binds ${formatBytes(maxStorageBytes)}`;
        if (wanted !== undefined || target.variants.length === 1)
          throw new UserError(`${needs}; try a smaller --budget or --variant chunked`);
        progress(io, `${needs}: only the chunked variant runs`);
        sessions.pop();
        await session.close();
      }
    }
    // One round that is not timed: kernels compile on first use.
    for (let round = 0; round <= repeat; round++) {
      for (const { variant, session, results } of sessions) {
        progress(
          io,
          `running ${variant.name} on ${session.device.backend}${round === 0 ? '' : ` (${round} of ${repeat})`}`,
        );
        results.push(await watched(variant.name, session, io));
      }
    }
    const last = sessions.at(-1);
    if (flags.profile !== undefined && last) {
      progress(io, `profiling ${last.variant.name}`);
      const profile = last.session.device.profile();
      await watched(last.variant.name, last.session, io);
      writeFileAtomically(flags.profile, `${JSON.stringify(await profile.stop())}\n`);
    }
    const outputs = last?.results.at(-1)?.outputs ?? {};
    const predictions =
      given && weights !== undefined ? await answers(outputs, signature.inputs, given, extras) : undefined;
    report(target, sessions, predictions, repeat, flags, io);
  } finally {
    for (const { session } of sessions) await session.close();
  }
}

/** A line of progress at most this often. */
const TOLD_EVERY_MS = 2000;

/** One run that Ctrl-C ends, and that says where it is when it takes long. */
function watched(name: VariantName, session: Session, io: Io): Promise<RunResult> {
  let told = performance.now();
  const onProgress = ({ section, loop }: RunProgress): void => {
    if (performance.now() - told < TOLD_EVERY_MS) return;
    told = performance.now();
    const where = [section, loop && `${loop.id} ${loop.done} of ${loop.of}`].filter(Boolean).join(', ');
    progress(io, `running ${name}: ${where || 'top level'}`);
  };
  const run = (signal?: AbortSignal): Promise<RunResult> => session.run({ signal, onProgress });
  return io.interruptible ? io.interruptible(run) : run();
}

function parseVariant(text: string | undefined): VariantName | 'both' | undefined {
  if (text === undefined || text === 'unchunked' || text === 'chunked' || text === 'both') return text;
  throw new UserError(`--variant: expected unchunked, chunked or both, got "${text}"`, { exitCode: 2 });
}

function chooseVariants(target: Target, wanted: VariantName | 'both' | undefined): readonly Variant[] {
  if (wanted === undefined) return target.variants;
  const chosen = wanted === 'both' ? target.variants : target.variants.filter(({ name }) => name === wanted);
  if (chosen.length === (wanted === 'both' ? 2 : 1)) return chosen;
  throw new UserError(
    `--variant ${wanted}: a generated module is the chunked variant alone; give the model's file to run both`,
    { exitCode: 2 },
  );
}

interface VariantReport {
  readonly plannedPeakBytes: number;
  readonly measuredPeakBytes: number;
  readonly reservedBytes: number;
  readonly medianMs: number;
}

function report(
  target: Target,
  sessions: readonly { variant: Variant; session: Session; results: readonly RunResult[] }[],
  predictions: Answers | undefined,
  repeat: number,
  flags: RunFlags,
  io: Io,
): void {
  const reports: Partial<Record<VariantName, VariantReport>> = {};
  const faults: string[] = [];
  for (const { variant, session, results } of sessions) {
    const measured = Math.max(...results.map((result) => result.measuredPeakBytes));
    reports[variant.name] = {
      plannedPeakBytes: variant.plannedPeakBytes,
      measuredPeakBytes: measured,
      reservedBytes: session.device.memory.reservedBytes,
      medianMs: median(results.slice(1).map((result) => result.ms)),
    };
    if (measured !== variant.plannedPeakBytes) {
      faults.push(
        `the ${variant.name} variant was planned at ${variant.plannedPeakBytes} bytes and took ${measured}`,
      );
    }
  }
  const { unchunked, chunked } = reports;
  const [first, second] = sessions.map(({ results }) => (results.at(-1) as RunResult).outputs);
  const difference = first && second ? compareOutputs(first, second, target.exact) : undefined;
  if (difference?.close === false) {
    faults.push(`chunked and unchunked outputs differ by up to ${difference.maxAbsDiff}`);
  }
  const outputs = (sessions.at(-1) as (typeof sessions)[number]).results.at(-1)?.outputs ?? {};
  const summaries = Object.entries(outputs).map(([name, tensor]) => summariseOutput(name, tensor));
  if (flags.out !== undefined) {
    writeFileAtomically(
      flags.out,
      encodeSafetensors(
        new Map(
          Object.entries(outputs).map(([name, { shape, dtype, data }]) => [name, { shape, dtype, data }]),
        ),
      ),
    );
  }
  const { device } = (sessions.at(-1) as (typeof sessions)[number]).session;
  const kernels = Object.fromEntries(sessions.flatMap(({ session }) => [...session.kernels]).sort());
  const document = {
    model: target.model,
    dims: target.dims,
    backend: device.backend,
    adapter: device.adapter,
    threads: device.threads,
    budgetBytes: target.budgetBytes,
    unchunked: unchunked ?? null,
    chunked: chunked ?? null,
    slowdown: unchunked && chunked ? chunked.medianMs / unchunked.medianMs - 1 : null,
    maxAbsDiff: difference?.maxAbsDiff ?? null,
    identical: difference?.identical ?? null,
    close: difference?.close ?? null,
    repeat,
    outputs: summaries,
    predictions: predictions ?? null,
    kernels,
  };
  if (flags.json) printJson(io, document);
  else io.stdout(describeRun(document));
  if (faults.length > 0)
    throw new CommandFailed(`${faults.join('; ')} (a defect in autochunk; please report it)`);
}

interface RunDocument {
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly backend: string;
  readonly adapter: string;
  readonly unchunked: VariantReport | null;
  readonly chunked: VariantReport | null;
  readonly slowdown: number | null;
  readonly maxAbsDiff: number | null;
  readonly identical: boolean | null;
  readonly close: boolean | null;
  readonly outputs: readonly OutputSummary[];
  readonly predictions: Answers | null;
}

function describeRun(run: RunDocument): string {
  const title = [run.model, formatDims(run.dims), `${run.backend} (${run.adapter})`].filter(
    (text) => text !== '',
  );
  const rows = [['', 'planned peak', 'measured peak', 'reserved', 'median time']];
  for (const name of ['unchunked', 'chunked'] as const) {
    const variant = run[name];
    if (!variant) continue;
    const exact = variant.measuredPeakBytes === variant.plannedPeakBytes ? ' (exact)' : ' (DIFFERS)';
    rows.push([
      name,
      formatBytes(variant.plannedPeakBytes),
      `${formatBytes(variant.measuredPeakBytes)}${exact}`,
      formatBytes(variant.reservedBytes),
      formatMs(variant.medianMs),
    ]);
  }
  const lines = [title.join(' · '), ...formatTable(rows, [1, 2, 3, 4]).map((line) => `  ${line}`)];
  if (run.slowdown !== null) lines.push(`  time of chunked over unchunked: ${formatSlowdown(run.slowdown)}`);
  if (run.identical !== null) {
    lines.push(
      `  chunked = unchunked: ${run.identical ? 'yes, bit for bit' : `${run.close ? 'to rounding (sums are split over loops)' : 'NO'}, they differ by up to ${run.maxAbsDiff}`}`,
    );
  }
  for (const output of run.outputs) {
    const first = output.first.map((value) => Number(value.toPrecision(6))).join(', ');
    const bad = output.nonFinite > 0 ? `, ${output.nonFinite} not finite` : '';
    lines.push(
      `  ${output.name} ${output.dtype}${printShape(output.shape)} = ${first}${output.shape.length > 0 ? ', …' : ''}`,
      `    min ${output.min.toPrecision(6)}, max ${output.max.toPrecision(6)}, mean ${output.mean.toPrecision(6)}${bad}, sha256 ${output.checksum}`,
    );
  }
  if (run.predictions) {
    lines.push(`  likeliest ${run.predictions.of}:`);
    for (const { id, text, probability } of run.predictions.list)
      lines.push(`    ${formatPercent(probability).padStart(7)}  ${JSON.stringify(text)} (${id})`);
  }
  return `${lines.join('\n')}\n`;
}
