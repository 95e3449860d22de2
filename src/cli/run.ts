import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { compileGraph, generate, unchunkedPlan } from '../compile.ts';
import { parseBudget } from '../compiler/budget.ts';
import { UserError } from '../errors.ts';
import { printShape } from '../ir/dims.ts';
import type { Backend } from '../ir/ops/op.ts';
import { formatBytes, formatDims, formatMs, formatSlowdown, formatTable } from '../report/format.ts';
import { listBackends, openDevice } from '../runtime/index.ts';
import { randomData } from '../testing/random.ts';
import { encodeSafetensors, matchParameters, readSafetensors, type WeightNames } from '../weights/index.ts';
import { DEFAULT_BUDGET_HELP, withBudget } from './budget.ts';
import { checkDims, parseDims } from './dims.ts';
import { readGeneratedInfo, signatureOfModule } from './generated.ts';
import { readInputs } from './inputs.ts';
import { CommandFailed, type Io, printJson, progress } from './io.ts';
import { loadModel } from './load-model.ts';
import { checkModuleFile, displayPath, splitReference } from './load-module.ts';
import { collect, parseBackend, parseCap, parseCount } from './options.ts';
import { compareOutputs, median, type OutputSummary, summariseOutput } from './outputs.ts';
import { type Elements, type RunResult, Session } from './session.ts';
import { type Signature, signatureOf } from './signature.ts';
import { writeFileAtomically } from './write-file.ts';

interface RunFlags {
  readonly dims?: readonly string[];
  readonly budget?: string;
  readonly cap?: string;
  readonly backend: string;
  readonly variant?: string;
  readonly weights?: string;
  readonly input?: readonly string[];
  readonly seed: string;
  readonly repeat: string;
  readonly out?: string;
  readonly json?: true;
}

type VariantName = 'unchunked' | 'chunked';

/** A program to run, from a model or from a generated module. */
interface Target {
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly backend: Backend | undefined;
  readonly budgetBytes: number;
  readonly signature: Signature;
  readonly variants: readonly Variant[];
  readonly weightNames: WeightNames;
}

interface Variant {
  readonly name: VariantName;
  readonly source: string;
  readonly plannedPeakBytes: number;
  /** Undefined where it is not known (a generated module does not say). */
  readonly largestStorageBytes?: number;
}

export function addRun(program: Command, io: Io): void {
  program
    .command('run')
    .description('Run a model or a generated module; report its outputs, measured memory and time.')
    .argument('<model|module>', 'path/to/model.ts[#export], or a module written by `autochunk compile`')
    .option('--dims <N=size,…>', 'sizes of the named dimensions (repeatable)', collect)
    .option(
      '--budget <budget>',
      `activation memory of the chunked variant: 20%, 512MiB or min (default: ${DEFAULT_BUDGET_HELP})`,
    )
    .option('--cap <bytes>', 'largest single storage (default: what the device can bind)')
    .option('--backend <name>', 'webgpu, webasm, cpu or auto', 'auto')
    .option(
      '--variant <which>',
      'unchunked, chunked or both (default: both for a model, chunked for a module)',
    )
    .option('--weights <file>', 'parameters from a .safetensors file (default: random, see --seed)')
    .option(
      '--input <name=value>',
      'nested JSON, or a .json, .npy or .safetensors file (repeatable; default: random)',
      collect,
    )
    .option('--seed <n>', 'seed of random inputs and parameters', '1')
    .option('--repeat <n>', 'timed runs of each variant, alternating, after one that is not timed', '3')
    .option('--out <file>', 'write the outputs to a .safetensors file')
    .option('--json', 'print one JSON document on stdout')
    .addHelpText(
      'after',
      `
Examples:
  autochunk run models/llama/model.ts --dims N=64 --budget 20% --weights stories260K.safetensors
  autochunk run generated/llama.n512.ts --input tokens=tokens.npy --backend cpu`,
    )
    .action((reference: string, flags: RunFlags) => run(reference, flags, io));
}

async function run(reference: string, flags: RunFlags, io: Io): Promise<void> {
  const seed = parseCount('--seed', flags.seed, 0, 2 ** 32 - 1);
  const repeat = parseCount('--repeat', flags.repeat, 1, 1000);
  const asked = parseBackend(flags.backend);
  const wanted = parseVariant(flags.variant);
  const target = await resolveTarget(reference, flags, asked, io);
  const { signature } = target;

  const params = readParams(flags.weights, target, seed, io);
  const given = readInputs(flags.input ?? [], signature.inputs);
  if (!given && signature.inputs.length > 0) progress(io, `no --input: random inputs, seed ${seed}`);
  const inputs = given ?? randomData(signature, seed).inputs;

  const sessions: { variant: Variant; session: Session; results: RunResult[] }[] = [];
  try {
    for (const variant of chooseVariants(target, wanted)) {
      const session = await Session.open(target.backend, variant.source, signature, { inputs, params });
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
        results.push(await session.run());
      }
    }
    report(target, sessions, repeat, flags, io);
  } finally {
    for (const { session } of sessions) await session.close();
  }
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

async function resolveTarget(
  reference: string,
  flags: RunFlags,
  asked: Backend | undefined,
  io: Io,
): Promise<Target> {
  const { file } = splitReference(reference);
  checkModuleFile(file);
  const source = readFileSync(file, 'utf8');
  const info = await readGeneratedInfo(source);
  if (info !== undefined) {
    if (flags.dims !== undefined) {
      throw new UserError(
        `--dims: the sizes of a generated module are fixed (${formatDims(info.dims) || 'it has none'})`,
        { exitCode: 2 },
      );
    }
    return {
      model: info.model,
      dims: info.dims,
      backend: asked ?? (await available(info.backend, io)),
      budgetBytes: info.budgetBytes,
      signature: signatureOfModule(info),
      variants: [{ name: 'chunked', source, plannedPeakBytes: info.plannedPeakBytes }],
      // It does not know its model's file: like `loadParameters` it takes what it needs.
      weightNames: { ignore: [/^/] },
    };
  }
  const dims = parseDims(flags.dims ?? []);
  if (flags.budget !== undefined) parseBudget(flags.budget);
  const { graph, file: modelFile, weightNames } = await loadModel(reference);
  checkDims(graph, dims);
  const probe = await openDevice({ backend: asked ?? 'auto' });
  const { backend, maxStorageBytes } = probe;
  await probe.destroy();
  progress(io, `compiling ${graph.name} for ${backend}`);
  const { plan, source: chunked } = await withBudget(flags.budget, io, (budget) =>
    compileGraph(graph, {
      dims,
      budget,
      backend,
      cap: parseCap(flags.cap) ?? maxStorageBytes,
      modelFile: displayPath(modelFile),
    }),
  );
  const baseline = unchunkedPlan(plan);
  const variant = (name: VariantName, text: string, { planned }: typeof plan): Variant => ({
    name,
    source: text,
    plannedPeakBytes: planned.peakBytes,
    largestStorageBytes: planned.largestStorageBytes,
  });
  return {
    model: plan.model,
    dims,
    backend,
    budgetBytes: plan.budgetBytes,
    signature: signatureOf(plan.graph),
    variants: [variant('unchunked', await generate(baseline), baseline), variant('chunked', chunked, plan)],
    weightNames,
  };
}

/** The backend a module was compiled for, or undefined (auto) with a note where this machine does not have it. */
async function available(backend: string, io: Io): Promise<Backend | undefined> {
  const info = (await listBackends()).find((entry) => entry.backend === backend);
  if (info?.available) return info.backend;
  progress(
    io,
    `compiled for ${backend}, which is not available here (${info?.reason ?? 'unknown'}): choosing automatically`,
  );
  return undefined;
}

function readParams(path: string | undefined, target: Target, seed: number, io: Io): Elements {
  const { params } = target.signature;
  if (path === undefined) {
    if (params.length > 0) progress(io, `no --weights: random parameters, seed ${seed}`);
    return randomData(target.signature, seed).params;
  }
  const { tensors } = readSafetensors(path);
  const matched = matchParameters(params, tensors, { ...target.weightNames, file: path });
  return Object.fromEntries(
    params.map(({ id, key }) => [
      id,
      Float32Array.from((matched.get(key) as { data: ArrayLike<number> }).data),
    ]),
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
  const difference = first && second ? compareOutputs(first, second) : undefined;
  if (difference?.identical === false) {
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
  const kernels = Object.fromEntries(
    [...new Set(sessions.flatMap(({ session }) => [...session.kernels]))]
      .sort()
      .map((name) => [name, `gpu.js ${device.backend}`]),
  );
  const document = {
    model: target.model,
    dims: target.dims,
    backend: device.backend,
    adapter: device.adapter,
    budgetBytes: target.budgetBytes,
    unchunked: unchunked ?? null,
    chunked: chunked ?? null,
    slowdown: unchunked && chunked ? chunked.medianMs / unchunked.medianMs - 1 : null,
    maxAbsDiff: difference?.maxAbsDiff ?? null,
    identical: difference?.identical ?? null,
    repeat,
    outputs: summaries,
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
  readonly outputs: readonly OutputSummary[];
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
      `  chunked = unchunked: ${run.identical ? 'yes, bit for bit' : `NO, they differ by up to ${run.maxAbsDiff}`}`,
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
  return `${lines.join('\n')}\n`;
}
