import type { Command } from 'commander';
import { parseBudget } from '../compiler/budget.ts';
import { specialise } from '../compiler/passes/specialise.ts';
import { plan as planGraph } from '../compiler/pipeline.ts';
import { formatBytes } from '../ir/bytes.ts';
import type { Graph } from '../ir/node.ts';
import { axisOrigins } from '../ir/origins.ts';
import type { Estimate, Plan } from '../ir/plan.ts';
import { axesText } from '../report/axes.ts';
import { formatDims, formatPercent, formatTable } from '../report/format.ts';
import { type Annotate, graphText } from '../report/graph-text.ts';
import { reportHtml } from '../report/html.ts';
import { describePlan, peakLabel, summarisePlan } from '../report/summary.ts';
import { timelineText } from '../report/timeline-text.ts';
import { chooseBackend } from './backend.ts';
import { checkDims, parseDims } from './dims.ts';
import { bold, green, type Io, printJson } from './io.ts';
import { CONFIG_HELP, loadModel } from './load-model.ts';
import { displayPath } from './load-module.ts';
import { collect, parseBackend } from './options.ts';
import { writeFileAtomically } from './write-file.ts';

interface InspectFlags {
  readonly dims?: readonly string[];
  readonly budget?: string;
  readonly config?: string;
  readonly backend: string;
  readonly html?: string;
  readonly json?: true;
}

export function addInspect(program: Command, io: Io): void {
  program
    .command('inspect')
    .description('Show a model: its graph, live bytes over time, where the peak is and what is alive there.')
    .argument('<model>', 'path/to/model.ts or path/to/model.ts#export')
    .option(
      '--dims <N=size,…>',
      'sizes of the named dimensions (repeatable); without them only the graph is shown',
      collect,
    )
    .option('--budget <budget>', 'also plan for this budget and show the planned memory (20%, 512MiB, min)')
    .option('--backend <name>', 'whose cost model --budget uses: webgpu, webasm, cpu or auto', 'webasm')
    .option('--html <file>', 'write the report as one self-contained HTML file')
    .option('--config <file>', CONFIG_HELP)
    .option('--json', 'print one JSON document on stdout')
    .addHelpText(
      'after',
      '\nExample:\n  autochunk inspect models/llama/model.ts --dims N=512 --html report.html',
    )
    .action((reference: string, flags: InspectFlags) => inspect(reference, flags, io));
}

async function inspect(reference: string, flags: InspectFlags, io: Io): Promise<void> {
  const dims = parseDims(flags.dims ?? []);
  const budget = parseBudget(flags.budget ?? '100%');
  const asked = parseBackend(flags.backend);
  const { graph } = await loadModel(reference, { config: flags.config });
  const origins = axisOrigins(graph);
  const notes: Annotate = (node) => axesText(origins.get(node.id));
  const bound =
    graph.dims.length === 0 ||
    flags.dims !== undefined ||
    flags.budget !== undefined ||
    flags.html !== undefined;
  if (bound) checkDims(graph, dims);
  const plan = bound
    ? planGraph(graph, { dims, budget, backend: asked ?? (await chooseBackend()) })
    : undefined;
  const shown = bound ? specialise(graph, dims) : graph;
  if (flags.html !== undefined && plan) writeFileAtomically(flags.html, reportHtml(shown, plan, notes));
  if (flags.json) {
    printJson(io, describeJson(shown, plan, origins, flags));
    return;
  }
  const title = [graph.name, formatDims(dims)].filter((text) => text !== '').join(' · ');
  io.stdout(`${bold(io, title)}\n\n${graphText(shown, notes)}\n`);
  if (!plan) {
    io.stdout(
      `\nPass --dims ${graph.dims.map((name) => `${name}=512`).join(',')} to see memory over time.\n`,
    );
    return;
  }
  io.stdout(
    `\n${bold(io, 'live activation bytes, unchunked')}\n${timelineText(plan.unchunked)}\n\n${alive(plan.unchunked)}`,
  );
  if (plan.loops.length > 0) {
    const scaleBytes = plan.unchunked.peakBytes;
    io.stdout(
      `\n${bold(io, 'live activation bytes, planned')}\n${timelineText(plan.planned, { scaleBytes })}\n\n`,
    );
    io.stdout(`${alive(plan.planned)}\n${describePlan(plan)}`);
  } else if (flags.budget !== undefined) {
    io.stdout(`\n${describePlan(plan)}`);
  }
  if (flags.html !== undefined) io.stdout(`\n${green(io, 'wrote')} ${displayPath(flags.html)}\n`);
}

/** The document of `inspect --json`. Without sizes for the named dimensions the fields about memory are null. */
function describeJson(
  graph: Graph,
  plan: Plan | undefined,
  origins: ReturnType<typeof axisOrigins>,
  flags: InspectFlags,
): unknown {
  const memory = (estimate: Estimate | undefined) =>
    estimate === undefined
      ? null
      : {
          peakBytes: estimate.peakBytes,
          peakAt: peakLabel(estimate),
          peakIndex: estimate.peakIndex,
          largestStorageBytes: estimate.largestStorageBytes,
          liveAtPeak: estimate.liveAtPeak,
          timeline: estimate.timeline,
        };
  return {
    model: graph.name,
    dims: plan?.dims ?? {},
    namedDims: graph.dims,
    inputs: graph.inputs,
    parameters: graph.params,
    nodes: graph.nodes.map((node) =>
      node.kind === 'op' ? { ...node, axes: origins.get(node.id) ?? [] } : node,
    ),
    outputs: graph.outputs,
    unchunkedPeakBytes: plan?.unchunked.peakBytes ?? null,
    parameterBytes: plan?.unchunked.parameterBytes ?? null,
    unchunked: memory(plan?.unchunked),
    planned: flags.budget === undefined ? null : memory(plan?.planned),
    plan: flags.budget === undefined || !plan ? null : summarisePlan(plan),
  };
}

function alive(estimate: Estimate): string {
  const rows = estimate.liveAtPeak.map(({ value, bytes, at }) => [
    value,
    formatBytes(bytes),
    formatPercent(estimate.peakBytes === 0 ? 0 : bytes / estimate.peakBytes),
    at ? `${at.file}:${at.line}` : '',
  ]);
  const title = `alive at the peak (${formatBytes(estimate.peakBytes)}, at ${peakLabel(estimate)}; parameters ${formatBytes(estimate.parameterBytes)} apart)`;
  return `${[title, ...formatTable(rows, [1, 2]).map((line) => `  ${line}`)].join('\n')}\n`;
}
