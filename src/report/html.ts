import { formatBytes } from '../ir/bytes.ts';
import { overAndKind } from '../ir/loop.ts';
import type { Graph } from '../ir/node.ts';
import type { Estimate, Plan } from '../ir/plan.ts';
import { escapeHtml } from './escape.ts';
import { formatDims, formatPercent, formatSlowdown } from './format.ts';
import { type Annotate, graphText } from './graph-text.ts';
import { peakLabel } from './summary.ts';
import { timelineSvg } from './timeline-svg.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #d8dde3; --note: #5b6570 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --paper: #15181c; --faint: #363c44; --note: #9aa4af } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1040px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--faint) }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
pre { overflow-x: auto; font-size: 12px; line-height: 1.45; border: 1px solid var(--faint); padding: .75rem }
svg { width: 100%; height: auto } svg text { font-size: 11px; fill: var(--note) }
.grid { stroke: var(--faint); stroke-width: 1 } .budget { stroke: #c62828; stroke-dasharray: 6 4 }
.note { color: var(--note) } .unchunked { color: #7a7f87 } .planned { color: #1565c0 }
`;

type Row = readonly (string | { readonly number: string })[];

const cell = (tag: 'td' | 'th', value: Row[number]): string =>
  typeof value === 'string'
    ? `<${tag}>${escapeHtml(value)}</${tag}>`
    : `<${tag} class="n">${escapeHtml(value.number)}</${tag}>`;

const table = (head: Row, rows: readonly Row[]): string =>
  `<table><thead><tr>${head.map((value) => cell('th', value)).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((value) => cell('td', value)).join('')}</tr>`)
    .join('')}</tbody></table>`;

function livingAtPeak(estimate: Estimate): string {
  const rows = estimate.liveAtPeak.map(({ value, bytes, at }) => [
    value,
    { number: formatBytes(bytes) },
    { number: formatPercent(estimate.peakBytes === 0 ? 0 : bytes / estimate.peakBytes) },
    at ? `${at.file}:${at.line}` : '',
  ]);
  return table(['storage', { number: 'bytes' }, { number: 'share' }, 'made at'], rows);
}

/**
 * A report on one model as a single HTML file that loads nothing: memory timeline, peak, loops, graph. All text that
 * comes from the model is escaped.
 */
export function reportHtml(graph: Graph, plan: Plan, annotate: Annotate): string {
  const { unchunked, planned } = plan;
  const chunked = plan.loops.length > 0;
  const title = [plan.model, formatDims(plan.dims)].filter((text) => text !== '').join(' · ');
  const curves = [{ name: 'unchunked', estimate: unchunked, color: '#7a7f87' }];
  if (chunked) curves.push({ name: 'planned', estimate: planned, color: '#1565c0' });
  const share = unchunked.peakBytes === 0 ? 1 : planned.peakBytes / unchunked.peakBytes;
  const facts: Row[] = [
    ['unchunked peak', { number: formatBytes(unchunked.peakBytes) }, `at ${peakLabel(unchunked)}`],
    ...(chunked
      ? [
          [
            'planned peak',
            { number: formatBytes(planned.peakBytes) },
            `${formatPercent(share)} of it, at ${peakLabel(planned)}`,
          ],
          ['budget', { number: formatBytes(plan.budgetBytes) }, ''],
          ['predicted time', { number: formatSlowdown(plan.predictedSlowdown) }, `on ${plan.backend}`],
        ]
      : []),
    ['parameters', { number: formatBytes(unchunked.parameterBytes) }, 'counted apart'],
  ];
  const loops = plan.loops.map(
    (loop): Row => [
      loop.id,
      loop.path,
      overAndKind(loop),
      { number: `${loop.extent} = ${loop.chunks} × ${loop.chunkSize}` },
      { number: formatBytes(loop.savesBytes) },
      loop.savesAt,
    ],
  );
  const parts = [
    `<h1>${escapeHtml(title)}</h1>`,
    table(['', { number: '' }, ''], facts),
    '<h2>Live activation bytes</h2>',
    timelineSvg(curves, chunked ? plan.budgetBytes : undefined),
    `<p class="note"><span class="unchunked">■ unchunked</span>${chunked ? ' <span class="planned">■ planned</span>' : ''}. Each curve is stretched to the full width; dots mark the peaks.</p>`,
    '<h2>Alive at the unchunked peak</h2>',
    livingAtPeak(unchunked),
    ...(chunked
      ? [
          '<h2>Alive at the planned peak</h2>',
          livingAtPeak(planned),
          '<h2>Loops</h2>',
          table(['loop', 'where', 'over', { number: 'extent' }, { number: 'saves' }, 'at'], loops),
        ]
      : []),
    '<h2>Graph</h2>',
    `<pre>${escapeHtml(graphText(graph, annotate))}</pre>`,
  ];
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeHtml(title)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    `<body>${parts.join('\n')}</body>`,
    '</html>',
    '',
  ].join('\n');
}
