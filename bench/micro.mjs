#!/usr/bin/env node
/**
 * `npm run bench:micro [-- --backend webasm|webgpu --rounds N --only TEXT]`: GFLOP/s of products and convolutions, GB/s of softmax,
 * norms and activations, and the cost of a dispatch; on webasm gpu.js kernels on one thread and tuned ones on one and on all, on webgpu gpu.js
 * kernels and tuned ones. Every round runs all of them once, in an order that alternates; medians. Results of all variants are
 * compared, and the benchmark fails where they differ. Writes bench/results/micro.json and micro.md (micro-webgpu on webgpu)
 * unless only some cases run.
 */
import { parseArgs } from 'node:util';
import { count, misused, setUp } from './setup.mjs';

await setUp();
const { enableRelaxedSimd } = await import('../dist/cli/device-options.js');
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { observeMachine } = await import('../dist/cli/bench-machine.js');
enableRelaxedSimd();
const { k, openDevice } = await import('autochunk/runtime');

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'webasm' },
    rounds: { type: 'string', default: '15' },
    only: { type: 'string' },
  },
});
const { backend } = values;
if (backend !== 'webasm' && backend !== 'webgpu')
  misused(`--backend: expected webasm or webgpu, got "${backend}"`);
const rounds = count('rounds', values.rounds);
const machine = observeMachine();

const random = (device, ...shape) =>
  device.upload(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 12.9898)),
    shape,
  );
const square = (side) => ({
  name: `matmul ${side}³`,
  unit: 'GFLOP/s',
  work: 2 * side ** 3,
  prepare(device) {
    const [a, b, into] = [random(device, side, side), random(device, side, side), device.alloc([side, side])];
    return { into, run: () => k.matmul(a, b, { into }) };
  },
});
const convolution = (size) => ({
  name: `conv2d 64 × 48 × 48, ${size} × ${size}`,
  unit: 'GFLOP/s',
  work: 2 * 64 * 64 * 48 * 48 * size * size,
  prepare(device) {
    const [x, weight] = [random(device, 1, 64, 48, 48), random(device, 64, 64, size, size)];
    const into = device.alloc([1, 64, 48, 48]);
    const padding = [(size - 1) / 2, (size - 1) / 2];
    return { into, run: () => k.conv2d(x, weight, { into, padding }) };
  },
});
const elementwise = (op, rows) => ({
  name: `${op} of ${rows} × 1024`,
  unit: 'GB/s',
  work: 2 * 4 * rows * 1024,
  prepare(device) {
    const [x, into] = [random(device, rows, 1024), device.alloc([rows, 1024])];
    return { into, run: () => k[op](x, { into }) };
  },
});
const CASES = [
  square(256),
  square(512),
  square(1024),
  { ...square(2048), backends: ['webgpu'] },
  { ...square(4096), backends: ['webgpu'] },
  {
    name: 'one row, 4096 to 4096',
    unit: 'GFLOP/s',
    work: 2 * 4096 * 4096,
    prepare(device) {
      const [x, weight, into] = [
        random(device, 1, 4096),
        random(device, 4096, 4096),
        device.alloc([1, 4096]),
      ];
      return { into, run: () => k.linear(x, weight, { into }) };
    },
  },
  {
    name: 'scores 8 × 256 × 256 × 32, transposed',
    unit: 'GFLOP/s',
    work: 2 * 8 * 256 * 256 * 32,
    prepare(device) {
      const [q, keys] = [random(device, 8, 256, 32), random(device, 8, 256, 32).permute([0, 2, 1])];
      const into = device.alloc([8, 256, 256]);
      return { into, run: () => k.matmul(q, keys, { into }) };
    },
  },
  {
    name: 'context 8 × 256 × 32 × 256',
    unit: 'GFLOP/s',
    work: 2 * 8 * 256 * 32 * 256,
    prepare(device) {
      const [weights, v, into] = [
        random(device, 8, 256, 256),
        random(device, 8, 256, 32),
        device.alloc([8, 256, 32]),
      ];
      return { into, run: () => k.matmul(weights, v, { into }) };
    },
  },
  {
    name: 'linear 1024 × 256 to 1024, bias',
    unit: 'GFLOP/s',
    work: 2 * 1024 * 256 * 1024,
    prepare(device) {
      const [x, weight, bias] = [random(device, 1024, 256), random(device, 1024, 256), random(device, 1024)];
      const into = device.alloc([1024, 1024]);
      return { into, run: () => k.linear(x, weight, bias, { into }) };
    },
  },
  {
    name: 'triangle 64 × 64 × 64, 128 channels',
    unit: 'GFLOP/s',
    work: 2 * 64 ** 3 * 128,
    prepare(device) {
      const [a, b, into] = [
        random(device, 64, 64, 128),
        random(device, 64, 64, 128),
        device.alloc([64, 64, 128]),
      ];
      return { into, run: () => k.einsum(a, b, { into, equation: 'ikc,jkc->ijc' }) };
    },
  },
  convolution(3),
  convolution(1),
  {
    name: 'softmax 1024 × 1024',
    unit: 'GB/s',
    work: 2 * 4 * 1024 * 1024,
    prepare(device) {
      const [x, into] = [random(device, 1024, 1024), device.alloc([1024, 1024])];
      const scratch = [device.alloc([1024]), device.alloc([1024])];
      return { into, run: () => k.softmax(x, { into, axis: 1, scratch }) };
    },
  },
  {
    name: 'causalSoftmax 1024 × 1024',
    unit: 'GB/s',
    work: 2 * 4 * 1024 * 1024,
    prepare(device) {
      const [x, into] = [random(device, 1024, 1024), device.alloc([1024, 1024])];
      const scratch = [device.alloc([1024]), device.alloc([1024])];
      return { into, run: () => k.causalSoftmax(x, { into, scratch }) };
    },
  },
  {
    name: 'layerNorm 1024 × 1024',
    unit: 'GB/s',
    work: 2 * 4 * 1024 * 1024,
    prepare(device) {
      const [x, weight, bias] = [random(device, 1024, 1024), random(device, 1024), random(device, 1024)];
      const into = device.alloc([1024, 1024]);
      const scratch = [device.alloc([1024]), device.alloc([1024])];
      return { into, run: () => k.layerNorm(x, weight, bias, { into, scratch }) };
    },
  },
  // In the cache and in memory: what an epilogue of the product before could save.
  ...['gelu', 'silu', 'relu'].flatMap((op) => [
    elementwise(op, 32),
    elementwise(op, 1024),
    elementwise(op, 8192),
  ]),
  {
    name: 'dispatch of one element',
    unit: 'µs',
    prepare(device) {
      const [x, into] = [random(device, 1), device.alloc([1])];
      return { into, run: () => k.neg(x, { into }) };
    },
  },
  {
    name: 'product of one element',
    unit: 'µs',
    prepare(device) {
      const [a, b, into] = [random(device, 1, 1), random(device, 1, 1), device.alloc([1, 1])];
      return { into, run: () => k.matmul(a, b, { into }) };
    },
  },
];

const variants =
  backend === 'webgpu'
    ? [
        { name: 'gpujs', options: { kernels: 'gpujs' } },
        { name: 'tuned', options: { kernels: 'tuned' } },
      ]
    : [
        { name: 'gpujs', options: { kernels: 'gpujs', threads: 1 } },
        { name: 'tuned, 1 thread', options: { kernels: 'tuned', threads: 1 } },
        { name: 'tuned', options: { kernels: 'tuned' } },
      ];
for (const variant of variants) {
  variant.device = await openDevice({ backend, ...variant.options });
  const { threads } = variant.device;
  variant.label = variant.name === 'tuned' && threads > 1 ? `tuned, ${threads} threads` : variant.name;
}
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Largest difference to the result of the first variant, as a share of its largest element. */
async function difference(contestants) {
  const [first, ...others] = await Promise.all(contestants.map(({ device, into }) => device.read(into)));
  const largest = first.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const apart = others.map((other) =>
    other.reduce(
      (most, value, i) => (Math.abs(value - first[i]) <= most ? most : Math.abs(value - first[i])),
      0,
    ),
  );
  return Math.max(...apart) / (largest || 1);
}

async function timed({ run, device }, repeats) {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) run();
  await device.flush();
  return (performance.now() - start) / repeats;
}

/** So many that waiting for the GPU is a small part of the time. */
async function repeatsOnGpu(contestant) {
  const ms = await timed(contestant, 1);
  const each = ms > 50 ? ms : await timed(contestant, 50);
  return Math.min(1000, Math.max(1, Math.ceil(50 / each)));
}

const results = [];
const chosen = CASES.filter(
  ({ name, backends }) =>
    (!backends || backends.includes(backend)) && (!values.only || name.includes(values.only)),
);
for (const { name, unit, work, prepare } of chosen) {
  process.stderr.write(`${name}\n`);
  const contestants = [];
  for (const { label, device } of variants) {
    const contestant = { label, device, ms: [], ...prepare(device) };
    // Compiled, and threads started.
    await timed(contestant, 2);
    contestants.push(contestant);
  }
  const apart = await difference(contestants);
  if (!(apart < 1e-4)) {
    console.error(`${name}: results differ by ${apart} of the largest element`);
    process.exitCode = 1;
  }
  // The same for all; on webasm about five milliseconds at 10 GFLOP/s or GB/s.
  const repeats =
    work === undefined
      ? 1000
      : backend === 'webgpu'
        ? await repeatsOnGpu(contestants.at(-1))
        : Math.max(1, Math.ceil(5e7 / work));
  await sleep(100);
  for (let round = 0; round < rounds; round++) {
    for (const contestant of round % 2 === 0 ? contestants : [...contestants].reverse()) {
      contestant.ms.push(await timed(contestant, repeats));
    }
  }
  const figure = (ms) => (unit === 'µs' ? ms * 1e3 : work / ms / 1e6);
  results.push({
    name,
    unit,
    difference: apart,
    variants: Object.fromEntries(
      contestants.map(({ label, ms }) => [
        label,
        { median: figure(median(ms)), best: figure(Math.min(...ms)), medianMs: median(ms) },
      ]),
    ),
  });
}
const { tuned: own, adapter } = variants.at(-1).device;
const tuned = own.description;
for (const { device } of variants) await device.destroy();

const labels = variants.map(({ label }) => label);
const row = (cells) => `| ${cells.join(' | ')} |`;
const report = {
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  backend,
  adapter,
  rounds,
  tuned,
  results,
};
const { processor, cores, engine, loadAverage } = report.machine;
const markdown = [
  `# Micro benchmarks on ${backend}`,
  '',
  `\`npm run bench:micro${backend === 'webgpu' ? ' -- --backend webgpu' : ''}\` · ${report.date} · ${processor}, ${cores} cores · ${engine} · load ${loadAverage.map((n) => n.toFixed(1)).join(' → ')} · ${adapter} · tuned: ${tuned}`,
  '',
  `Median of ${rounds} alternating rounds (best in parentheses). A load above ${cores} means that others computed meanwhile.`,
  '',
  row(['', 'unit', ...labels]),
  row(['---', '---', ...labels.map(() => '---:')]),
  ...results.map((result) =>
    row([
      result.name,
      result.unit,
      ...labels.map((label) => {
        const { median, best } = result.variants[label];
        return `${median.toFixed(1)} (${best.toFixed(1)})`;
      }),
    ]),
  ),
  '',
].join('\n');
if (values.only === undefined) {
  const path = `bench/results/micro${backend === 'webgpu' ? '-webgpu' : ''}`;
  writeFileAtomically(`${path}.json`, `${JSON.stringify(report, null, 2)}\n`);
  writeFileAtomically(`${path}.md`, markdown);
}
process.stdout.write(markdown);
