/** Runs a chunked module again and again; prints what is alive, reserved and resident, as JSON. Argument: backend, runs. */
import {
  compileModel,
  defineModel,
  f32,
  loadModule,
  matmul,
  nn,
  softmax,
  transpose,
} from '../../dist/index.js';
import * as runtime from '../../dist/runtime/index.js';

const [backend, runs] = [process.argv[2], Number(process.argv[3])];
const N = 96;
const model = defineModel('attention', { x: f32('N', 32) }, ({ x }) => {
  const weights = softmax(matmul(nn.linear('q', x, 32), transpose(nn.linear('k', x, 32), 0, 1)), -1);
  return { y: matmul(weights, nn.linear('v', x, 32)) };
});
const { source } = await compileModel(model, { dims: { N }, budget: '75%', backend });
const { info, run } = await loadModule(source, runtime);
const device = await runtime.openDevice({ backend });
const numbers = (count) => Float32Array.from({ length: count }, (_, i) => Math.sin(i));
const weights = new Map(
  Object.values(info.params).map(({ key, shape }) => [
    key,
    { shape, data: numbers(shape[0] * (shape[1] ?? 1)) },
  ]),
);
const params = runtime.loadParameters(device, info.params, weights);
const x = device.upload(numbers(N * 32), [N, 32]);
const samples = [];
let live = 0;
for (let i = 0; i < runs; i++) {
  const { y } = await run(device, { x }, params, i % 2 === 0 ? {} : { onProgress: () => {} });
  await device.read(y);
  y.free();
  live = Math.max(live, device.memory.liveBytes);
  if ((i + 1) % (runs / 10) !== 0) continue;
  globalThis.gc?.();
  samples.push({ reserved: device.memory.reservedBytes, rss: process.memoryUsage().rss });
}
process.stdout.write(JSON.stringify({ inputBytes: N * 32 * 4, live, samples }));
await device.destroy();
