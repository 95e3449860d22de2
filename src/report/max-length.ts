import type { Longest, MaxLength } from '../compiler/max-length.ts';
import { formatBytes } from '../ir/bytes.ts';
import { formatPercent, formatSlowdown, formatTable, plural } from './format.ts';
import { summarisePlan } from './summary.ts';

/** What `maxlen --json` says. `ratio` is null where nothing fits without loops. */
export const maxLengthJson = ({ plan, ...result }: MaxLength): object => ({
  ...result,
  ratio: result.unchunked.length === 0 ? null : result.chunked.length / result.unchunked.length,
  plan: plan ? summarisePlan(plan) : null,
});

/** The longest lengths, what limits them and the curve of peaks, for the terminal. */
export function describeMaxLength(model: string, result: MaxLength): string {
  const { over, budgetBytes, unchunked, chunked, plan, curve } = result;
  const ratio =
    unchunked.length === 0 ? '' : `   ×${(chunked.length / unchunked.length).toPrecision(3)} as long`;
  const loops = plan
    ? `, ${plural(plan.loops.length, 'loop')}, predicted time ${formatSlowdown(plan.predictedSlowdown)}`
    : '';
  const rows = [
    ['unchunked', describeLongest(over, unchunked)],
    ['chunked', `${describeLongest(over, chunked)}${loops}${ratio}`],
  ];
  const lines = [
    `${model} · the longest ${over} within ${formatBytes(budgetBytes)} of activations`,
    ...formatTable(rows).map((line) => `  ${line}`),
  ];
  if (curve.length > 0) {
    const points = curve.map(({ length, unchunkedPeakBytes, smallestPeakBytes }) => [
      `${length}`,
      formatBytes(unchunkedPeakBytes),
      formatBytes(smallestPeakBytes),
      formatPercent(smallestPeakBytes / unchunkedPeakBytes),
    ]);
    const table = formatTable([[over, 'unchunked', 'chunked', 'of it'], ...points], [0, 1, 2, 3]);
    lines.push('', ...table.map((line) => `  ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

function describeLongest(over: string, { length, peakBytes, limit }: Longest): string {
  if (length === 0) return `no length fits: the shortest needs ${formatBytes(peakBytes)}`;
  const why = {
    budget: '',
    model: ', the most that the model takes',
    considered: ', the most that was considered',
  }[limit];
  return `${over} = ${length}${why} (${formatBytes(peakBytes)})`;
}
