import type { AxisExplanation, Explanation, Limit, NodeExplanation } from '../compiler/explain.ts';
import { formatBytes } from '../ir/bytes.ts';
import { overAndKind } from '../ir/loop.ts';
import type { LoopNode, Node } from '../ir/node.ts';
import type { CostTerms, LoopReport, Plan } from '../ir/plan.ts';
import { formatPercent, formatTable, plural } from './format.ts';
import { type CapSource, describePlan, summarisePlan } from './summary.ts';

/** What `explain --json` says: everything an {@link Explanation} holds, with the plan as `compile --json` shows it. */
export const explanationJson = ({ plan, unmet, limit, nodes }: Explanation): object => ({
  ...summarisePlan(plan),
  cost: plan.cost,
  budgetMet: unmet === undefined,
  ...(unmet ? { unmet: unmet.message } : {}),
  limit,
  nodes,
});

/** An explanation for the terminal. */
export function describeExplanation({ plan, limit, nodes }: Explanation, capSource?: CapSource): string {
  const asked = nodes.map((node) => describeNode(node, plan));
  return [describePlan(plan, capSource), ...describeLoops(plan), ...asked, describeLimit(limit, plan)].join(
    '\n',
  );
}

/** Loops that differ only in where they are read as one entry. */
function describeLoops(plan: Plan): string[] {
  const groups = new Map<string, { reports: LoopReport[]; loop: LoopNode }>();
  for (const report of plan.loops) {
    const loop = findLoop(plan.graph.nodes, report.id);
    if (!loop) continue;
    const { over, extent, chunkSize, depth, savesBytes, cost } = report;
    const kernels = opNames(loop);
    const key = JSON.stringify([over, extent, chunkSize, depth, savesBytes, cost, kernels]);
    const group = groups.get(key);
    if (group) group.reports.push(report);
    else groups.set(key, { reports: [report], loop });
  }
  return [...groups.values()].map(({ reports, loop }) => describeLoop(reports, loop, plan));
}

const row = (name: string, items: readonly string[]): [string, string][] =>
  items.length === 0 ? [] : [[name, items.join(', ')]];

function describeLoop(reports: readonly LoopReport[], loop: LoopNode, plan: Plan): string {
  const [first] = reports as [LoopReport];
  const ids = reports.length > 3 ? [first, reports.at(-1) as LoopReport] : reports;
  const title = ids.map(({ id }) => id).join(reports.length > 3 ? ' … ' : ', ');
  const each = reports.length > 1 ? ' each' : '';
  const where = first.path === '' ? '' : ` in ${first.path}${reports.length > 1 ? ' and the like' : ''}`;
  const rows: [string, string][] = [
    ['cuts', `${overAndKind(first)}: ${first.extent} = ${first.chunks} × ${first.chunkSize}`],
    ['runs', opNames(loop).join(' → ')],
    ...row(
      'gathers',
      loop.results.map(({ id, axis }) => `${id} along axis ${axis}`),
    ),
    ...row(
      'carries',
      loop.carries.map(({ of, role }) => `${role} of ${of}`),
    ),
    ...(loop.halos.length > 0
      ? [['borders', describeBorders(loop, first.chunkSize)] as [string, string]]
      : []),
    [
      'saves',
      `${formatBytes(first.savesBytes)}${each}, most of it at ${first.savesAt} ` +
        `(${formatPercent(first.savesBytes / plan.unchunked.peakBytes)} of the unchunked peak)`,
    ],
    ['costs', `${describeCost(first.cost)}${each}`],
  ];
  return [
    `${title}${where}${first.depth > 0 ? `, inside ${plural(first.depth, 'loop')}` : ''}`,
    ...formatTable(rows).map((line) => `  ${line}`),
    '',
  ].join('\n');
}

/** What windows reach beyond chunks: neighbours read it too and, where it is computed in the loop, compute it again. */
const describeBorders = ({ halos }: LoopNode, chunkSize: number): string =>
  halos
    .map(
      ({ multiple, before, after }) =>
        `${before} before and ${after} after every ${multiple * chunkSize} elements`,
    )
    .join(', ');

const describeCost = ({ nodes, flops, density, stride, total }: CostTerms): string =>
  `${figure(total)} dispatches = ${figure(nodes)} kernels issued again + ${figure(flops)} arithmetic in loops ` +
  `+ ${figure(density)} kernels too small + ${figure(stride)} scattered slices`;

const figure = (value: number): string => Number(value.toPrecision(3)).toLocaleString('en-US');

const opNames = (loop: LoopNode): string[] =>
  loop.body.nodes.flatMap((node) => (node.kind === 'op' ? [node.op] : [`(${opNames(node).join(' → ')})`]));

function findLoop(nodes: readonly Node[], id: string): LoopNode | undefined {
  for (const node of nodes) {
    if (node.kind !== 'loop') continue;
    const found = node.id === id ? node : findLoop(node.body.nodes, id);
    if (found) return found;
  }
  return undefined;
}

function describeNode(node: NodeExplanation, plan: Plan): string {
  const budget = formatBytes(plan.budgetBytes);
  const peak = formatBytes(node.unchunkedPeakBytes);
  const verdicts: Record<NodeExplanation['verdict'], string> = {
    cut: `cut by ${node.loops.map(({ id, axis }) => `${id} along axis ${axis}`).join(', then ')}`,
    'within-budget': `not cut: ${peak} are alive while it runs, within the budget of ${budget}`,
    relieved: `not cut: ${peak} would be alive while it runs, but other loops bring that to ${formatBytes(node.plannedPeakBytes)}`,
  };
  return [
    `${node.path}: ${node.op} [${node.shape.join(', ')}] is ${verdicts[node.verdict]}`,
    ...describeAxes(node),
    '',
  ].join('\n');
}

/** How many obstacles around a node are listed. */
const LISTED = 5;

function describeAxes({ axes, stops, unchunkedPeakBytes }: NodeExplanation): string[] {
  const rows = axes.map((axis) => [
    `axis ${axis.axis}`,
    axis.dim ? `${axis.dim} = ${axis.extent}` : `${axis.extent}`,
    describeAxis(axis, unchunkedPeakBytes),
  ]);
  const lines = formatTable(rows).map((line) => `  ${line}`);
  if (stops.length > 0) lines.push('  where chunk flows around it stop:');
  for (const { rule, node, message } of stops.slice(0, LISTED))
    lines.push(`    ${node}: ${message} (rule: ${rule})`);
  if (stops.length > LISTED) lines.push(`    and ${stops.length - LISTED} more, further away`);
  return lines;
}

function describeAxis({ obstacle, best }: AxisExplanation, unchunkedPeakBytes: number): string {
  if (obstacle) return `cannot be cut: ${obstacle.message} (rule: ${obstacle.rule})`;
  if (!best) return 'cannot be cut';
  const over = best.nodes === 1 ? `a loop over ${best.first}` : `a loop from ${best.first} to ${best.last}`;
  return best.peakBytes < unchunkedPeakBytes
    ? `${over} would bring the peak there from ${formatBytes(unchunkedPeakBytes)} down to ${formatBytes(best.peakBytes)}`
    : `${over} would not lower the peak there`;
}

const ROLES = {
  input: 'an input: alive throughout',
  output: 'an output: stays alive',
  value: 'a value',
  chunk: 'one chunk of a loop',
  scratch: 'scratch of the kernel',
} as const;

function describeLimit({ peakBytes, at, loops, alive, node }: Limit, plan: Plan): string {
  const rows = alive.map(({ value, bytes, role, lastReader }) => [
    value,
    formatBytes(bytes),
    role === 'value' && lastReader ? `needed until ${lastReader}` : ROLES[role],
  ]);
  const share = formatPercent(plan.unchunked.peakBytes === 0 ? 1 : peakBytes / plan.unchunked.peakBytes);
  const inside = loops > 0 ? `, inside ${plural(loops, 'loop')}` : '';
  return [
    `the smallest peak the search reaches is ${formatBytes(peakBytes)} (${share} of the unchunked peak), at ${at}${inside}. Alive there:`,
    ...formatTable(rows, [1]).map((line) => `  ${line}`),
    ...(node ? [`${node.path} itself:`, ...describeAxes(node)] : []),
    '',
  ].join('\n');
}
