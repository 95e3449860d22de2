/**
 * Who takes part. A contestant, once open, has `about` (library, version and settings), `run()` (one run of the model from inputs in
 * memory to outputs in memory, by name), where the library tells `peakBytes()` (activations at the peak of another run), and `close()`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize } from 'node:v8';

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

/** The name of a plan of autochunk among contestants. The first contestant is the one that others are compared with. */
export const planName = (label) => (label === 'unchunked' ? 'autochunk' : `autochunk within ${label}`);

/** Opens a contestant by name for the case in a folder. */
export async function openContestant(name, folder, backend) {
  const found = deserialize(readFileSync(join(folder, 'case.bin')));
  const open = PEERS[backend][name];
  if (open !== undefined) return open(await import('./node-peers.mjs'), found, folder, backend);
  const plan = name === 'autochunk' ? 'unchunked' : name.slice('autochunk within '.length);
  const { openAutochunk } = await import('./autochunk.mjs');
  return openAutochunk(found, folder, backend, plan);
}
