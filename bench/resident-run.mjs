/** One run of a generated module on webasm in this process. Prints its peaks as JSON. Argument: the module. */
import { readFileSync } from 'node:fs';
import { loadModule } from 'autochunk';
import * as runtime from 'autochunk/runtime';

const { info, run } = await loadModule(readFileSync(process.argv[2], 'utf8'), runtime);
const device = await runtime.openDevice({ backend: 'webasm' });
const weights = new Map(
  Object.values(info.params).map(({ key, shape }) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return [key, { shape, data: Float32Array.from({ length }, (_, i) => Math.sin(i) / 16) }];
  }),
);
const params = runtime.loadParameters(device, info.params, weights);
const values = Object.fromEntries(
  Object.entries(info.inputs).map(([id, { shape, below }]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return [id, Array.from({ length }, (_, i) => (below ? i % below : Math.sin(i)))];
  }),
);
const inputs = runtime.uploadInputs(device, info.inputs, values);
const { peakBytes } = await runtime.measure(device, () => run(device, inputs, params));
process.stdout.write(
  JSON.stringify({
    peakBytes,
    reservedBytes: device.memory.reservedBytes,
    // The most that the process ever had resident.
    residentBytes: process.resourceUsage().maxRSS * 1024,
  }),
);
await device.destroy();
