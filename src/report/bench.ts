import { formatBytes } from '../ir/bytes.ts';
import { formatDims, formatMs, formatPercent, formatSlowdown, formatTable } from './format.ts';
import type { PlanSummary } from './summary.ts';

/** What one variant of a model took, over all rounds. */
export interface BenchVariant {
  readonly plannedPeakBytes: number;
  /** The highest of all rounds. */
  readonly measuredPeakBytes: number;
  /** What the device holds after the last round: its pool or arena. */
  readonly reservedBytes: number;
  readonly medianMs: number;
  /** Of every timed round, in order. */
  readonly ms: readonly number[];
  /** Processor time of the process, all threads: on a busy machine steadier than time on the clock. */
  readonly medianCpuMs: number;
  readonly cpuMs: readonly number[];
}

interface BenchCase {
  /** Where the model is from: `path/to/model.ts#export`. */
  readonly reference: string;
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly backend: string;
  readonly adapter: string;
  /** The budget as it was asked for, such as `20%`. */
  readonly budget: string;
  readonly budgetBytes: number;
  readonly unchunkedPeakBytes: number;
  readonly parameterBytes: number;
  /** Of the whole model; null where the device cannot hold its largest storage. */
  readonly unchunked: BenchVariant | null;
}

/** A model that ran within a budget. */
export interface BenchMeasured extends BenchCase, PlanSummary {
  readonly outOfReach: null;
  /** Planned peak over unchunked peak. */
  readonly peakShare: number;
  readonly compileMs: number;
  readonly chunked: BenchVariant;
  /** Median over the rounds of (chunked time ÷ unchunked time of the same round − 1). */
  readonly slowdown: number | null;
  /** First and third quartile of the same. */
  readonly slowdownQuartiles: readonly [number, number] | null;
  /** The same as `slowdown`, in processor time. */
  readonly cpuSlowdown: number | null;
  readonly maxAbsDiff: number | null;
  /** Whether all outputs are the same bit for bit. */
  readonly identical: boolean | null;
  /** Whether they are as close as they must be: the same, unless a loop splits a reduction. */
  readonly close: boolean | null;
  /** Threads of the device. */
  readonly threads: number;
  /** Implementation by kernel. */
  readonly kernels: Readonly<Record<string, string>>;
}

/** A budget that no plan meets. */
export interface BenchRefused extends BenchCase {
  readonly outOfReach: { readonly smallestPeakBytes: number; readonly message: string };
}

export type BenchResult = BenchMeasured | BenchRefused;

/** What the times depend on besides the program. */
export interface BenchMachine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryBytes: number;
  readonly engine: string;
  readonly platform: string;
  /** Processes that wanted a core, on average over a minute, before and after. Above `cores`, times are those of a busy machine. */
  readonly loadAverage: readonly [number, number];
}

export interface BenchReport {
  readonly date: string;
  readonly command: string;
  readonly machine: BenchMachine;
  readonly note: string | null;
  readonly rounds: number;
  readonly seed: number;
  readonly results: readonly BenchResult[];
}

/** The report for the terminal: a block for each model, a line for each budget. */
export function describeBench(report: BenchReport): string {
  const lines: string[] = [];
  for (const group of byModel(report.results)) {
    const [first] = group as [BenchResult];
    const whole = first.unchunked;
    const title = [first.model, formatDims(first.dims), `${first.backend} (${first.adapter})`];
    const peak = `unchunked: ${formatBytes(first.unchunkedPeakBytes)}`;
    const facts = whole
      ? `${peak}${exactness(whole)} in ${formatMs(whole.medianMs)}`
      : `${peak}, more than the device can hold in one storage`;
    lines.push(title.filter((text) => text !== '').join(' · '), `  ${facts}`);
    const rows = [
      ['budget', 'peak', 'share', 'loops', 'time', 'slowdown', 'quartiles', 'processor', 'difference'],
      ...group.map((result) => [result.budget, ...cells(result, formatBytes)]),
    ];
    lines.push(...formatTable(rows, [3]).map((line) => `  ${line}`));
    lines.push(...describeKernels(group).map((line) => `  ${line}`));
  }
  lines.push(
    `${report.rounds} alternating rounds after one that is not timed; ${describeMachine(report.machine)}`,
  );
  return `${lines.join('\n')}\n`;
}

/** The report as a page to keep: what ran, on what, and one table of all models and budgets. */
export function benchMarkdown(report: BenchReport, title = 'Peak memory and time'): string {
  const header = [
    'model',
    'dims',
    'unchunked peak',
    'budget',
    'planned = measured peak',
    'share',
    'loops',
    'unchunked',
    'chunked',
    'slowdown',
    'quartiles',
    'processor time',
    'difference',
  ];
  const rows = report.results.map((result) => {
    const [peak = '', share = '', loops = '', time = '', ...rest] = cells(result, bytesInFull);
    return [
      result.model,
      formatDims(result.dims),
      bytesInFull(result.unchunkedPeakBytes) + (result.unchunked ? exactness(result.unchunked) : ''),
      result.budget,
      peak,
      share,
      loops,
      result.unchunked ? formatMs(result.unchunked.medianMs) : '—',
      time,
      ...rest,
    ];
  });
  const backends = new Set(report.results.map(({ backend, adapter }) => `${backend} (${adapter})`));
  return `${[
    `# ${title}`,
    '',
    `- date: ${report.date}`,
    `- command: \`${report.command}\``,
    `- backend: ${[...backends].join(', ')}`,
    `- machine: ${describeMachine(report.machine)}`,
    ...(report.note === null ? [] : [`- note: ${report.note}`]),
    `- ${report.rounds} rounds after one that is not timed; random weights and inputs, seed ${report.seed}`,
    '',
    `Peaks are activation memory; parameters count apart. Times are medians. The slowdown is the median over the rounds of
(chunked ÷ unchunked time of the same round − 1), with the first and third quartile and the same median in processor time
beside it. The difference is the largest of any two output elements; "none" means the same bit for bit.`,
    '',
    ...markdownTable(header, rows),
    '',
    'Kernels that ran:',
    '',
    ...byModel(report.results).flatMap((group) =>
      describeKernels(group).map((line) => `- ${(group[0] as BenchResult).model}: ${line}`),
    ),
  ].join('\n')}\n`;
}

export const describeMachine = (machine: BenchMachine): string => {
  const [before, after] = machine.loadAverage.map((load) => load.toFixed(1));
  const processor = machine.processor === '' ? '' : ` (${machine.processor})`;
  return `${machine.cores} cores${processor}, ${formatBytes(machine.memoryBytes)}, ${machine.engine} on ${machine.platform}, load average ${before} before and ${after} after`;
};

/** A Markdown table; bars in cells are escaped. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const escaped = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const [first = [], ...rest] = formatTable(escaped, [], ' | ').map((line) => [line]);
  const bar = (cells: readonly string[]): string => `| ${cells[0]} |`;
  return [bar(first), `|${header.map(() => ' --- ').join('|')}|`, ...rest.map(bar)];
}

/** Peak, share, loops, time, slowdown, quartiles, slowdown in processor time and difference of a result. */
function cells(result: BenchResult, bytes: (count: number) => string): string[] {
  if (result.outOfReach) {
    const { smallestPeakBytes } = result.outOfReach;
    const share = formatPercent(smallestPeakBytes / result.unchunkedPeakBytes);
    return [`at least ${bytes(smallestPeakBytes)}`, share, '—', 'out of reach', '—', '—', '—', '—'];
  }
  const { chunked, slowdown, slowdownQuartiles, cpuSlowdown } = result;
  const quartiles = slowdownQuartiles?.map(formatSlowdown).join(' … ') ?? '—';
  return [
    `${bytes(chunked.plannedPeakBytes)}${exactness(chunked)}`,
    formatPercent(result.peakShare),
    `${result.loops.length}`,
    formatMs(chunked.medianMs),
    slowdown === null ? '—' : formatSlowdown(slowdown),
    quartiles,
    cpuSlowdown === null ? '—' : formatSlowdown(cpuSlowdown),
    result.identical === null ? '—' : result.identical ? 'none' : `${result.maxAbsDiff}`,
  ];
}

/** `gpu.js webasm: add, matmul`, a line for each implementation that ran. */
function describeKernels(results: readonly BenchResult[]): string[] {
  const byImplementation = new Map<string, Set<string>>();
  for (const result of results) {
    if (result.outOfReach) continue;
    for (const [kernel, implementation] of Object.entries(result.kernels)) {
      const kernels = byImplementation.get(implementation) ?? new Set();
      byImplementation.set(implementation, kernels.add(kernel));
    }
  }
  return [...byImplementation].map(
    ([implementation, kernels]) => `${implementation}: ${[...kernels].sort().join(', ')}`,
  );
}

const exactness = ({ plannedPeakBytes, measuredPeakBytes }: BenchVariant): string =>
  plannedPeakBytes === measuredPeakBytes ? '' : ` planned, ${measuredPeakBytes} bytes MEASURED`;

const bytesInFull = (count: number): string => `${formatBytes(count)} (${count} B)`;

/** Results of one model at one size stand together. */
function byModel(results: readonly BenchResult[]): BenchResult[][] {
  const groups: BenchResult[][] = [];
  for (const result of results) {
    const known = groups.at(-1)?.[0];
    const isSame =
      known?.reference === result.reference && formatDims(known.dims) === formatDims(result.dims);
    if (isSame) groups.at(-1)?.push(result);
    else groups.push([result]);
  }
  return groups;
}
