#!/usr/bin/env node
/**
 * `npm run bench:dispatch [-- --batches N]`: what a dispatch costs in JavaScript on webgpu. Runs an attention loop as a generated
 * module has it (slices, allocations, products, softmax, frees) and reports microseconds a dispatch over the 1 000 dispatches of a
 * warm loop: all of them; without the calls that come once a submission (256 dispatches), where a software adapter keeps the thread
 * waiting; and in the runtime itself, with a WebGPU that does nothing. Also how many buffers and bind groups the warm loop creates,
 * which is none; fails where it is not. Writes bench/results/dispatch.json.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { idleGpu } from './idle-gpu.mjs';
import { count, setUp } from './setup.mjs';

await setUp();
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { observeMachine } = await import('../dist/cli/bench-machine.js');
const { k, openDevice } = await import('autochunk/runtime');

const { values } = parseArgs({ options: { batches: { type: 'string', default: '10' } } });
const batches = count('batches', values.batches);
const machine = observeMachine();

/** What the devices of this process create, and the time that they spend in calls that come once a submission. */
const seen = { buffers: 0, bindGroups: 0, submitMs: 0 };
const types = await prototypes();
countCalls('createBuffer', 'buffers');
countCalls('createBindGroup', 'bindGroups');
for (const [type, methods] of [
  ['GPUDevice', ['createCommandEncoder']],
  ['GPUCommandEncoder', ['beginComputePass', 'finish']],
  ['GPUComputePassEncoder', ['end']],
  ['GPUQueue', ['writeBuffer', 'submit']],
]) {
  for (const method of methods) timeApart(types[type].prototype, method);
}

function countCalls(method, name) {
  const { prototype } = types.GPUDevice;
  const original = prototype[method];
  prototype[method] = function (...given) {
    seen[name]++;
    return original.apply(this, given);
  };
}

function timeApart(prototype, method) {
  const original = prototype[method];
  prototype[method] = function (...given) {
    const start = threadMs();
    try {
      return original.apply(this, given);
    } finally {
      seen.submitMs += threadMs() - start;
    }
  };
}

async function prototypes() {
  if (globalThis.GPUDevice) return globalThis;
  const { globals } = await import('webgpu');
  return globals;
}

/**
 * Milliseconds that this thread has computed, which other work on the machine does not add to; of the clock where the
 * system does not tell.
 */
function threadMs() {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

const [ROWS, CHUNK, HEADS, WIDTH] = [1000, 4, 2, 8];
const DISPATCHES = 1000;
/** Of a batch. */
const ROUNDS = 10;

/** The attention loop on a device; ends when there were enough dispatches. */
function attention(device) {
  const random = (...shape) =>
    device.upload(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 12.9898)),
      shape,
    );
  const [q, keys, v] = [random(HEADS, ROWS, WIDTH), random(HEADS, WIDTH, 16), random(HEADS, 16, WIDTH)];
  const context = device.alloc([HEADS, ROWS, WIDTH]);
  // As `autochunk compile` writes it.
  return (dispatches) =>
    device.run(async (run) => {
      const before = device.calls.gpujs + device.calls.tuned;
      const done = () => device.calls.gpujs + device.calls.tuned - before;
      for (let n0 = 0; done() < dispatches; n0 = (n0 + CHUNK) % ROWS) {
        await run.step('loop1', n0, ROWS);
        const n1 = Math.min(n0 + CHUNK, ROWS);
        const n = n1 - n0;
        const scores = run.alloc([HEADS, n, 16]);
        k.matmul(q.slice(1, n0, n1), keys, { into: scores });
        const scaled = run.alloc([HEADS, n, 16]);
        k.mulScalar(scores, { value: 0.25, into: scaled });
        scores.free();
        const weights = run.alloc([HEADS, n, 16]);
        const max = run.alloc([HEADS, n]);
        const sum = run.alloc([HEADS, n]);
        k.softmax(scaled, { axis: 2, into: weights, scratch: [max, sum] });
        for (const tensor of [max, sum, scaled]) tensor.free();
        k.matmul(weights, v, { into: context.slice(1, n0, n1) });
        weights.free();
      }
      return done();
    });
}

async function measure(kernels) {
  const device = await openDevice({ backend: 'webgpu', kernels });
  const loop = attention(device);
  // Pipelines are made, and the engine has compiled what runs often.
  for (let round = 0; round < ROUNDS; round++) {
    await loop(DISPATCHES);
    await device.flush();
  }
  // Averages over batches of rounds: the system's clock of a thread ticks in milliseconds.
  const best = { all: Number.POSITIVE_INFINITY, withoutSubmits: Number.POSITIVE_INFINITY };
  Object.assign(seen, { buffers: 0, bindGroups: 0 });
  for (let batch = 0; batch < batches; batch++) {
    let [ms, dispatches] = [0, 0];
    seen.submitMs = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const start = threadMs();
      dispatches += await loop(DISPATCHES);
      ms += threadMs() - start;
      await device.flush();
    }
    best.all = Math.min(best.all, (ms * 1e3) / dispatches);
    best.withoutSubmits = Math.min(best.withoutSubmits, ((ms - seen.submitMs) * 1e3) / dispatches);
  }
  const created = { buffers: seen.buffers, bindGroups: seen.bindGroups };
  const { adapter } = device;
  await device.destroy();
  return { adapter, kernels, microseconds: best, created };
}

/** Microseconds of the runtime's own JavaScript a dispatch, with a WebGPU that does nothing. */
async function ownMicroseconds(kernels) {
  const host = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: idleGpu() }, configurable: true });
  const device = await openDevice({ backend: 'webgpu', kernels });
  if (host) Object.defineProperty(globalThis, 'navigator', host);
  else delete globalThis.navigator;
  const loop = attention(device);
  let best = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < batches; batch++) {
    let [ms, dispatches] = [0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const start = threadMs();
      dispatches += await loop(DISPATCHES);
      ms += threadMs() - start;
    }
    best = Math.min(best, (ms * 1e3) / dispatches);
  }
  return best;
}

const results = [];
for (const kernels of ['tuned', 'gpujs']) {
  const measured = await measure(kernels);
  measured.microseconds.own = await ownMicroseconds(kernels);
  results.push(measured);
}
const report = {
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  batches,
  rounds: ROUNDS,
  dispatches: DISPATCHES,
  results,
};
writeFileAtomically('bench/results/dispatch.json', `${JSON.stringify(report, null, 2)}\n`);
for (const { adapter, kernels, microseconds, created } of results) {
  console.log(
    `${adapter}, ${kernels}: ${microseconds.all.toFixed(1)} µs of JavaScript a dispatch, ` +
      `${microseconds.withoutSubmits.toFixed(1)} without submissions, ${microseconds.own.toFixed(1)} in the runtime itself (best of ${batches} × ${ROUNDS} × ${DISPATCHES}); ` +
      `created in warm loops: ${created.buffers} buffers, ${created.bindGroups} bind groups`,
  );
}
process.exitCode = results.some(({ created }) => created.buffers + created.bindGroups > 0) ? 1 : 0;
