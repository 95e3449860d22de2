import type { Command } from 'commander';
import { parseBudget } from '../compiler/budget.ts';
import { explain as explainGraph } from '../compiler/explain.ts';
import { describeExplanation, explanationJson } from '../report/explain.ts';
import { chooseBackend } from './backend.ts';
import { checkDims, parseDims } from './dims.ts';
import { CommandFailed, type Io, printJson, progress } from './io.ts';
import { CAP_HELP, COST_MODEL_HELP, readLimits } from './limits.ts';
import { CONFIG_HELP, loadModel } from './load-model.ts';
import { displayPath } from './load-module.ts';
import { collect, EXACT, NO_FUSE, parseBackend } from './options.ts';

interface ExplainFlags {
  readonly exact?: true;
  readonly fuse: boolean;
  readonly dims?: readonly string[];
  readonly budget: string;
  readonly cap?: string;
  readonly costModel?: string;
  readonly backend: string;
  readonly config?: string;
  readonly node?: readonly string[];
  readonly json?: true;
}

export function addExplain(program: Command, io: Io): void {
  program
    .command('explain')
    .description(
      'Say why a plan has the loops it has, why other nodes are not cut, and what keeps the peak from being smaller.',
    )
    .argument('<model>', 'path/to/model.ts or path/to/model.ts#export')
    .option('--dims <N=size,…>', 'sizes of the named dimensions (repeatable)', collect)
    .option('--budget <budget>', 'activation memory: 20%, 512MiB or min', '50%')
    .option('--cap <bytes>', CAP_HELP)
    .option('--backend <name>', 'whose cost model to use: webgpu, webasm, cpu or auto', 'webasm')
    .option('--cost-model <file>', COST_MODEL_HELP)
    .option('--config <file>', CONFIG_HELP)
    .option(
      '--node <name>',
      'why this node is cut or not, e.g. scores or h.0.attn/scores (repeatable)',
      collect,
    )
    .option(...EXACT)
    .option(...NO_FUSE)
    .option('--json', 'print one JSON document on stdout')
    .addHelpText(
      'after',
      '\nExample:\n  autochunk explain models/llama/model.ts --dims N=512 --budget 20% --node scores',
    )
    .action((reference: string, flags: ExplainFlags) => explain(reference, flags, io));
}

async function explain(reference: string, flags: ExplainFlags, io: Io): Promise<void> {
  const dims = parseDims(flags.dims ?? []);
  const budget = parseBudget(flags.budget);
  const backend = parseBackend(flags.backend) ?? (await chooseBackend());
  const { capSource, ...limits } = await readLimits(flags, backend, io);
  const { graph, file } = await loadModel(reference, { config: flags.config });
  checkDims(graph, dims);
  progress(io, `explaining ${graph.name} from ${displayPath(file)}`);
  const options = { dims, budget, backend, ...limits };
  const explanation = explainGraph(graph, options, flags.node ?? []);
  if (flags.json) printJson(io, { ...explanationJson(explanation), capSource });
  else io.stdout(describeExplanation(explanation, capSource));
  if (explanation.unmet) throw new CommandFailed(explanation.unmet.message);
}
