/**
 * Who takes part. A contestant, once open, has `about` (library, version and settings), `run()` (one run of the model from inputs in
 * memory to outputs in memory, by name), where the library tells `peakBytes()` (activations at the peak of another run), and `close()`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { decodeCase } from './case-files.mjs';
import { planOf } from './plan-names.mjs';

const ort = (attention) => (peers, found, folder) =>
  peers.openOrt(found.graph, found.data, {
    onnx: readFileSync(join(folder, `${attention}.onnx`)),
    outputs: found.names[attention],
  });
const tfjs = (peers, { graph, data }, _folder, backend) => peers.openTfjs(graph, data, backend);
const jax = (peers, { graph, data }, _folder, backend) => peers.openJax(graph, data, backend);

/** Other libraries by backend and name. */
const PEERS = {
  webasm: {
    'onnxruntime-web': ort('ops'),
    'onnxruntime-web, fused attention': ort('fused'),
    'TensorFlow.js': tfjs,
    'jax-js': jax,
  },
  webgpu: { 'TensorFlow.js': tfjs, 'jax-js': jax },
};

export const peerNames = (backend) => Object.keys(PEERS[backend]);

/** Opens a contestant by name for the case in a folder. */
export async function openContestant(name, folder, backend) {
  // What browsers have without a flag is there for all.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const bytes = readFileSync(join(folder, 'data.bin'));
  const json = readFileSync(join(folder, 'case.json'), 'utf8');
  const found = decodeCase(json, bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const plan = planOf(name);
  if (plan === undefined)
    return PEERS[backend][name](await import('./node-peers.mjs'), found, folder, backend);
  const runtime = await import('../../dist/runtime/index.js');
  const { autochunkContestant, describeContestant } = await import('./autochunk.mjs');
  const device = await runtime.openDevice({ backend });
  const source = readFileSync(join(folder, `${plan}.js`), 'utf8');
  return { ...autochunkContestant(runtime, device, source, found), about: describeContestant(device, plan) };
}
