import { readFileSync } from 'node:fs';
import { compileGraph, generate, unchunkedPlan } from '../compile.ts';
import { parseBudget } from '../compiler/budget.ts';
import { UserError } from '../errors.ts';
import type { Backend } from '../ir/ops/op.ts';
import { isExact } from '../ir/plan.ts';
import { listBackends, type OpenOptions, openDevice } from '../runtime/index.ts';
import { randomData } from '../testing/random.ts';
import { matchParameters, type Safetensors, type WeightNames, type WeightTensor } from '../weights/index.ts';
import { withBudget } from './budget.ts';
import type { CheckpointExtras } from './checkpoint-extras.ts';
import { checkDims, parseDims } from './dims.ts';
import { declaredInputs, infoOf, readGenerated, signatureOfModule } from './generated.ts';
import { bindDims, type DeclaredInput, type GivenInputs, readInputs } from './inputs.ts';
import { type Io, progress } from './io.ts';
import { readLimits } from './limits.ts';
import { loadModel } from './load-model.ts';
import { checkModuleFile, displayPath, splitReference } from './load-module.ts';
import type { Elements } from './session.ts';
import { type Signature, signatureOf } from './signature.ts';

export type VariantName = 'unchunked' | 'chunked';

/** A program to run, from a model or from a generated module. */
export interface Target {
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly backend: Backend | undefined;
  readonly budgetBytes: number;
  readonly signature: Signature;
  /** Whether the chunked variant has the bits of the unchunked one: no loop splits a reduction. */
  readonly exact: boolean;
  readonly variants: readonly Variant[];
  readonly weightNames: WeightNames;
  /** Undefined when the inputs are to be random. */
  readonly given: GivenInputs | undefined;
}

export interface Variant {
  readonly name: VariantName;
  readonly source: string;
  readonly plannedPeakBytes: number;
  /** Undefined where it is not known (a generated module does not say). */
  readonly largestStorageBytes?: number;
}

/** The flags of `run` that say what to run, and on what. */
export interface TargetFlags {
  readonly exact?: true;
  readonly fuse: boolean;
  readonly dims?: readonly string[];
  readonly budget?: string;
  readonly cap?: string;
  readonly costModel?: string;
  readonly config?: string;
  readonly weights?: string;
  readonly input?: readonly string[];
  readonly text?: string;
}

/** What the files of complete models put before the names of the bare model inside, and others leave out. */
const USUAL_PREFIXES = ['transformer.', 'model.', 'vit.'];

/** @throws UserError for anything about the model, its sizes or its inputs that does not fit */
export async function resolveTarget(
  reference: string,
  flags: TargetFlags,
  asked: OpenOptions,
  extras: CheckpointExtras,
  io: Io,
): Promise<Target> {
  const { file } = splitReference(reference);
  checkModuleFile(file);
  const source = readFileSync(file, 'utf8');
  const module = await readGenerated(source);
  if (module !== undefined) {
    if (flags.costModel !== undefined)
      throw new UserError('--cost-model: a generated module is planned already', { exitCode: 2 });
    if (flags.config !== undefined)
      throw new UserError('--config: the sizes of a generated module are fixed', { exitCode: 2 });
    const given = await readGiven(flags, declaredInputs(module), extras);
    const info = await infoOf(module, given, parseDims(flags.dims ?? []));
    const signature = signatureOfModule(info);
    return {
      model: info.model,
      dims: info.dims,
      backend: named(asked) ?? (await available(info.backend, io)),
      budgetBytes: info.budgetBytes,
      signature,
      exact: true,
      variants: [{ name: 'chunked', source, plannedPeakBytes: info.plannedPeakBytes }],
      // It does not know its model's file: like `loadParameters` it takes what it needs.
      weightNames: { prefixes: USUAL_PREFIXES, ignore: [/^/] },
      given,
    };
  }
  const asGiven = parseDims(flags.dims ?? []);
  if (flags.budget !== undefined) parseBudget(flags.budget);
  const loaded = await loadModel(reference, { config: flags.config, checkpoint: flags.weights });
  const { graph, file: modelFile, weightNames, configFile } = loaded;
  if (configFile !== undefined) progress(io, `the model that ${configFile} describes`);
  const given = await readGiven(flags, graph.inputs, extras);
  const dims = given ? bindDims(graph.inputs, given, asGiven) : asGiven;
  checkDims(graph, dims);
  const probe = await openDevice(asked);
  const { backend } = probe;
  await probe.destroy();
  const { cap, costModel, splitReductions, fuse } = await readLimits(flags, backend, io);
  progress(io, `compiling ${graph.name} for ${backend}`);
  const { plan, source: chunked } = await withBudget(flags.budget, io, (budget) =>
    compileGraph(graph, {
      dims,
      budget,
      backend,
      cap,
      ...(costModel ? { costModel } : {}),
      splitReductions,
      fuse,
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
    exact: isExact(plan),
    variants: [variant('unchunked', await generate(baseline), baseline), variant('chunked', chunked, plan)],
    weightNames,
    given,
  };
}

/** The backend that was asked for by name. */
const named = ({ backend }: OpenOptions): Backend | undefined => (backend === 'auto' ? undefined : backend);

/** The values of `--input` and `--text`. */
async function readGiven(
  flags: TargetFlags,
  inputs: readonly DeclaredInput[],
  extras: CheckpointExtras,
): Promise<GivenInputs | undefined> {
  const texts = flags.input ?? [];
  if (flags.text === undefined) return readInputs(texts, inputs);
  const codec = await extras.tokenizer();
  if (!codec)
    throw new UserError(
      '--text: there is no tokenizer.json beside the weights: name one with --tokenizer, or give ids with --input',
      { exitCode: 2 },
    );
  return readInputs(texts, inputs, codec.encode(flags.text));
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

/** The parameters by id, from a checkpoint or random. @throws UserError when the checkpoint does not fit */
export function readParams(
  checkpoint: Safetensors | undefined,
  target: Target,
  seed: number,
  io: Io,
): Elements {
  const { params } = target.signature;
  if (checkpoint === undefined) {
    if (params.length > 0) progress(io, `no --weights: random parameters, seed ${seed}`);
    return randomData(target.signature, seed).params;
  }
  const { tensors, file } = checkpoint;
  const matched = matchParameters(params, tensors, { ...target.weightNames, file });
  return Object.fromEntries(
    params.map(({ id, key }) => {
      const { data } = matched.get(key) as WeightTensor;
      return [id, data instanceof Float32Array ? data : Float32Array.from(data)];
    }),
  );
}
