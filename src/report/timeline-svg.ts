import { formatBytes } from '../ir/bytes.ts';
import type { Estimate } from '../ir/plan.ts';
import { escapeHtml } from './escape.ts';

const WIDTH = 960;
const HEIGHT = 260;
const LEFT = 84;
const TOP = 16;
const BOTTOM = 28;
/** More points than this are invisible at the chart's width: runs of steps are drawn as their highest point. */
const MAX_POINTS = 1920;

export interface TimelineCurve {
  readonly name: string;
  readonly estimate: Estimate;
  readonly color: string;
}

/** Live activation bytes over the steps as an SVG element: one stepped curve a program, an optional budget line. */
export function timelineSvg(curves: readonly TimelineCurve[], budgetBytes?: number): string {
  const scale = Math.max(1, ...curves.map((curve) => curve.estimate.peakBytes), budgetBytes ?? 0);
  const plotWidth = WIDTH - LEFT - 12;
  const plotHeight = HEIGHT - TOP - BOTTOM;
  const y = (bytes: number): number => TOP + plotHeight * (1 - bytes / scale);
  const parts: string[] = [];
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const at = y(share * scale).toFixed(1);
    parts.push(`<line x1="${LEFT}" x2="${WIDTH - 12}" y1="${at}" y2="${at}" class="grid"/>`);
    parts.push(
      `<text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end">${formatBytes(share * scale)}</text>`,
    );
  }
  for (const { name, estimate, color } of curves) {
    const points = downsample(estimate);
    if (points.length === 0) continue;
    const x = (i: number): string => (LEFT + (plotWidth * i) / points.length).toFixed(2);
    const path = points.map(
      (bytes, i) => `${i === 0 ? 'M' : 'V'}${i === 0 ? `${x(0)} ` : ''}${y(bytes).toFixed(2)}H${x(i + 1)}`,
    );
    const base = y(0).toFixed(2);
    const line = path.join('');
    const area = `${line}V${base}H${LEFT}Z`;
    parts.push(`<path d="${area}" fill="${color}" fill-opacity="0.15"/>`);
    parts.push(
      `<path d="${line}" fill="none" stroke="${color}" stroke-width="1.5"><title>${escapeHtml(name)}</title></path>`,
    );
    const peakX = (LEFT + (plotWidth * (estimate.peakIndex + 0.5)) / estimate.timeline.length).toFixed(2);
    const label = estimate.timeline[estimate.peakIndex]?.label ?? '';
    const title = `${name}: peak ${formatBytes(estimate.peakBytes)} at ${label}`;
    parts.push(
      `<circle cx="${peakX}" cy="${y(estimate.peakBytes).toFixed(2)}" r="4" fill="${color}"><title>${escapeHtml(title)}</title></circle>`,
    );
  }
  if (budgetBytes !== undefined) {
    const at = y(budgetBytes).toFixed(2);
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - 12}" y1="${at}" y2="${at}" class="budget"><title>budget ${formatBytes(budgetBytes)}</title></line>`,
    );
  }
  parts.push(`<text x="${LEFT}" y="${HEIGHT - 8}">first step</text>`);
  parts.push(`<text x="${WIDTH - 12}" y="${HEIGHT - 8}" text-anchor="end">last step</text>`);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="live activation bytes over the steps">${parts.join('')}</svg>`;
}

function downsample(estimate: Estimate): number[] {
  const { timeline } = estimate;
  const run = Math.max(1, Math.ceil(timeline.length / MAX_POINTS));
  const points: number[] = [];
  for (let i = 0; i < timeline.length; i += run) {
    points.push(Math.max(...timeline.slice(i, i + run).map((point) => point.liveBytes)));
  }
  return points;
}
