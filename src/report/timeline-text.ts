import { formatBytes } from '../ir/bytes.ts';
import type { Estimate } from '../ir/plan.ts';

const EIGHTHS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/**
 * The highest live bytes of each of `columns` equal runs of steps. Where there are fewer steps, each takes the same
 * whole number of columns.
 */
export function bucketTimeline(estimate: Estimate, columns: number): number[] {
  const steps = estimate.timeline.length;
  const count = steps < columns ? steps * Math.floor(columns / Math.max(1, steps)) : columns;
  return Array.from({ length: count }, (_, column) => {
    const from = Math.floor((column * steps) / count);
    const to = Math.max(from + 1, Math.floor(((column + 1) * steps) / count));
    return Math.max(...estimate.timeline.slice(from, to).map((point) => point.liveBytes));
  });
}

/**
 * Live activation bytes over the steps of a program as a text chart, one column for a run of steps, with the peak
 * marked below. `scaleBytes` is the top of the axis (default: the peak).
 */
export function timelineText(
  estimate: Estimate,
  options: { width?: number; height?: number; scaleBytes?: number } = {},
): string {
  const { width = 72, height = 10 } = options;
  const scale = Math.max(1, options.scaleBytes ?? estimate.peakBytes);
  const columns = bucketTimeline(estimate, width);
  const lines: string[] = [];
  for (let row = height - 1; row >= 0; row--) {
    const cells = columns.map((bytes) => {
      const filled = (bytes / scale) * height - row;
      return EIGHTHS[Math.max(0, Math.min(8, Math.round(filled * 8)))];
    });
    const label = row === height - 1 ? formatBytes(scale) : row === 0 ? '0' : '';
    lines.push(`${label.padStart(10)} │${cells.join('')}`.trimEnd());
  }
  const steps = estimate.timeline.length;
  const peakColumn = Math.min(
    columns.length - 1,
    Math.floor(((estimate.peakIndex + 0.5) * columns.length) / steps),
  );
  lines.push(`${' '.repeat(10)} └${'─'.repeat(columns.length)}`);
  if (steps > 0) {
    const label = estimate.timeline[estimate.peakIndex]?.label ?? '';
    lines.push(
      `${' '.repeat(12 + Math.max(0, peakColumn))}▲ peak ${formatBytes(estimate.peakBytes)} at ${label}`,
    );
  }
  return lines.join('\n');
}
