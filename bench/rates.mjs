#!/usr/bin/env node
/** `npm run bench:rates`: the three figures a backend that the cost model's weights follow from (src/compiler/weights.ts). */
import { fileURLToPath } from 'node:url';
import { ensure } from '../scripts/ensure.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
await ensure();
const { k, listBackends, openDevice } = await import('autochunk/runtime');

/** Least seconds of `rounds` runs: what the machine does when nothing else wants it. */
async function least(rounds, device, run) {
  let seconds = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    run();
    await device.flush();
    seconds = Math.min(seconds, (performance.now() - start) / 1e3);
  }
  return seconds;
}

for (const { backend, available, adapter } of await listBackends()) {
  if (!available) continue;
  const device = await openDevice({ backend });
  const side = 256;
  const many = 2 ** 20;
  const dispatches = 1000;
  const [element, copy] = [device.upload([1], [1]), device.alloc([1])];
  const square = () => device.upload(new Float32Array(side * side).fill(0.5), [side, side]);
  const [a, b, product] = [square(), square(), device.alloc([side, side])];
  const row = () => device.upload(new Float32Array(many).fill(0.5), [many]);
  const [x, y, sum] = [row(), row(), device.alloc([many])];
  const dispatch = await least(20, device, () => {
    for (let i = 0; i < dispatches; i++) k.neg(element, { into: copy });
  });
  const multiply = await least(20, device, () => k.matmul(a, b, { into: product }));
  const add = await least(20, device, () => k.add(x, y, { into: sum }));
  console.log(
    `${backend.padEnd(7)} (${adapter}): ${((dispatch / dispatches) * 1e6).toFixed(1)} µs a dispatch (neg of one element), ` +
      `${((2 * side ** 3) / multiply / 1e9).toFixed(1)} GFLOP/s (matmul of ${side}³), ` +
      `${((12 * many) / add / 1e9).toFixed(1)} GB/s (add of ${many} elements)`,
  );
  await device.destroy();
}
