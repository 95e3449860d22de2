#!/usr/bin/env node
/**
 * `npm run bench:maxlen`: how long inputs of the paper's four models may become in an activation memory of 2 GiB, without loops
 * and with them. For images and pairs the length is that of a side. Nothing is run: peaks are planned, to the byte.
 */
import { parseArgs } from 'node:util';
import { misused, setUp } from './setup.mjs';

const { values } = parseArgs({ options: { budget: { type: 'string', default: '2GiB' } } });
await setUp();
const { BudgetError, planGraph, trace } = await import('autochunk');
const { parseBudget } = await import('../dist/compiler/budget.js');
const { formatBytes } = await import('../dist/ir/bytes.js');
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { markdownTable } = await import('../dist/report/bench.js');
const { GPT2_SMALL } = await import('../models/gpt2/config.ts');
const { gpt2 } = await import('../models/gpt2/model.ts');
const { VIT_B16 } = await import('../models/vit/config.ts');
const { vit } = await import('../models/vit/model.ts');
const { evoformer } = await import('../models/evoformer/model.ts');
const { unetSd15 } = await import('../models/unet/model.ts');

function parsed() {
  try {
    return parseBudget(values.budget);
  } catch {
    return undefined;
  }
}
const budget = parsed();
if (budget?.kind !== 'bytes') misused(`--budget: expected bytes, such as 2GiB, got ${values.budget}`);

/** `at(units)` is the model whose length is so many steps, and its dimensions. */
const cases = [
  {
    model: 'GPT-2 small, last logits',
    length: 'tokens',
    step: 256,
    most: 2 ** 20,
    // A table of positions as long as the text.
    at: (length) => ({
      model: gpt2(`gpt2-${length}`, { ...GPT2_SMALL, n_positions: length }, { logits: 'last' }),
      dims: { N: length },
    }),
  },
  {
    model: 'ViT-B/16',
    length: 'pixels a side',
    step: 64,
    most: 2 ** 15,
    at: (length) => ({
      model: vit(`vit-b16-${length}`, { ...VIT_B16, image_size: length }),
      dims: { B: 1 },
    }),
  },
  {
    model: 'Evoformer block, 128 sequences',
    length: 'residues',
    step: 16,
    most: 2 ** 13,
    at: (length) => ({ model: evoformer, dims: { N_seq: 128, N_res: length } }),
  },
  {
    model: 'Stable Diffusion 1.5 U-Net',
    length: 'pixels a side',
    // Eight pixels are one of the latents, of which the network needs multiples of eight.
    step: 64,
    most: 2 ** 15,
    at: (length) => ({ model: unetSd15, dims: { B: 1, H: length / 64, W: length / 64, L: 77 } }),
  },
];

/** The peak of a plan within the budget, and the unchunked peak; undefined where no plan is within it. */
function peaks({ model, dims }) {
  try {
    const { planned, unchunked } = planGraph(trace(model), { dims, budget, backend: 'webasm' });
    return { chunked: planned.peakBytes, unchunked: unchunked.peakBytes };
  } catch (error) {
    if (error instanceof BudgetError) return undefined;
    throw error;
  }
}

/** The largest number of steps that holds, all smaller ones hold too. */
function largest(holds, most) {
  let low = 0;
  let high = 1;
  while (high <= most && holds(high)) [low, high] = [high, high * 2];
  while (high - low > Math.max(1, low >> 6)) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

const rows = [];
for (const { model, length, step, most, at } of cases) {
  const limit = Math.floor(most / step);
  const whole = largest((units) => {
    const { dims, model } = at(units * step);
    const { unchunked } = planGraph(trace(model), {
      dims,
      budget: { kind: 'share', share: 1 },
      backend: 'webasm',
    });
    return unchunked.peakBytes <= budget.bytes;
  }, limit);
  const chunked = largest((units) => {
    const found = peaks(at(units * step));
    process.stderr.write(
      `${model}: ${units * step} ${length}: ${found ? formatBytes(found.chunked) : 'out of reach'}\n`,
    );
    return found !== undefined;
  }, limit);
  rows.push({ model, length, unchunked: whole * step, chunked: chunked * step, ratio: chunked / whole });
}

const others = rows.slice(1);
const mean = others.reduce((sum, { ratio }) => sum + ratio, 0) / others.length;
const text = [
  '# Longest inputs',
  '',
  `\`npm run bench:maxlen -- --budget ${values.budget}\` · ${new Date().toISOString().slice(0, 10)} · activation memory ${values.budget}, parameters apart`,
  '',
  ...markdownTable(
    ['model', 'length in', 'unchunked', 'chunked', 'chunked ÷ unchunked'],
    rows.map(({ model, length, unchunked, chunked, ratio }) => [
      model,
      length,
      `${unchunked}`,
      `${chunked}`,
      `× ${ratio.toFixed(1)}`,
    ]),
  ),
  '',
  `Mean of all but GPT-2: × ${mean.toFixed(1)}. The paper, on 80 GB: × 11.7 for GPT, × 3.2 on average for the others.`,
  'Lengths are tried in steps, and to about 2 %.',
  '',
].join('\n');
console.log(text);
writeFileAtomically('bench/results/max-length.md', text);
writeFileAtomically(
  'bench/results/max-length.json',
  `${JSON.stringify({ budget: values.budget, rows, mean }, undefined, 2)}\n`,
);
