import type { Command } from 'commander';
import { parseBudget } from '../compiler/budget.ts';
import { lengthBudget, maxLength } from '../compiler/max-length.ts';
import { UserError } from '../errors.ts';
import { formatBytes } from '../ir/bytes.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';

import { describeMaxLength, maxLengthJson } from '../report/max-length.ts';
import { chooseBackend } from './backend.ts';
import { checkDims, parseDims } from './dims.ts';
import { type Io, printJson, progress } from './io.ts';
import { CAP_HELP, COST_MODEL_HELP, readLimits } from './limits.ts';
import { CONFIG_HELP, loadModel } from './load-model.ts';
import { collect, EXACT, NO_FUSE, parseBackend, parseCount } from './options.ts';

interface MaxLengthFlags {
  readonly exact?: true;
  readonly fuse: boolean;
  readonly budget: string;
  readonly over?: string;
  readonly dims?: readonly string[];
  readonly cap?: string;
  readonly costModel?: string;
  readonly step: string;
  readonly points: string;
  readonly backend: string;
  readonly config?: string;
  readonly json?: true;
}

export function addMaxLength(program: Command, io: Io): void {
  program
    .command('maxlen')
    .description(
      'The longest sequence that fits a memory budget, without and with chunk loops. Nothing is run.',
    )
    .argument('<model>', 'path/to/model.ts or path/to/model.ts#export')
    .requiredOption('--budget <bytes>', 'activation memory in bytes, e.g. 2GiB')
    .option('--over <dimension>', 'the named dimension to stretch (default: the only one without a size)')
    .option('--dims <N=size,…>', 'sizes of the other named dimensions (repeatable)', collect)
    .option('--cap <bytes>', CAP_HELP)
    .option('--step <count>', 'try only multiples of this', '1')
    .option('--points <count>', 'how many lengths the curve of peaks shows', '8')
    .option('--backend <name>', 'whose cost model to use: webgpu, webasm, cpu or auto', 'webasm')
    .option('--cost-model <file>', COST_MODEL_HELP)
    .option('--config <file>', CONFIG_HELP)
    .option(...EXACT)
    .option(...NO_FUSE)
    .option('--json', 'print one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  autochunk maxlen models/gpt2/model.ts#gpt2Long --budget 2GiB')
    .action((reference: string, flags: MaxLengthFlags) => maxlen(reference, flags, io));
}

async function maxlen(reference: string, flags: MaxLengthFlags, io: Io): Promise<void> {
  const dims = parseDims(flags.dims ?? []);
  const budgetBytes = lengthBudget(parseBudget(flags.budget));
  const step = parseCount('--step', flags.step, 1);
  const points = parseCount('--points', flags.points, 0, 64);
  const backend = parseBackend(flags.backend) ?? (await chooseBackend());
  const { capSource, ...limits } = await readLimits(flags, backend, io);
  const { graph } = await loadModel(reference, { config: flags.config });
  const over = flags.over ?? onlyUnbound(graph, dims);
  checkDims(graph, { ...dims, [over]: 1 });
  const result = maxLength(graph, {
    over,
    dims,
    budgetBytes,
    backend,
    step,
    points,
    ...limits,
    onProbe: (length, peakBytes, chunked) => {
      const peak = Number.isFinite(peakBytes) ? formatBytes(peakBytes) : 'over the cap';
      progress(io, `${over} = ${length} ${chunked ? 'with loops' : 'without loops'}: ${peak}`);
    },
  });
  if (flags.json)
    printJson(io, {
      model: graph.name,
      dims,
      backend,
      capBytes: limits.cap,
      capSource,
      ...maxLengthJson(result),
    });
  else io.stdout(describeMaxLength(graph.name, result));
}

function onlyUnbound(graph: Graph, dims: Bindings): string {
  const unbound = graph.dims.filter((name) => !Object.hasOwn(dims, name));
  const [only] = unbound;
  if (unbound.length === 1 && only !== undefined) return only;
  const problem =
    unbound.length === 0
      ? `model ${graph.name} has no dimension left to stretch`
      : `model ${graph.name} has the dimensions ${unbound.join(', ')}; say which one to stretch and give the others with --dims`;
  throw new UserError(`--over: ${problem}`, { exitCode: 2 });
}
