/** The comparison in a page, on WebGPU: `page.compare(contestants, settings)` of the case that the server has under `case/`. */
import * as runtime from 'autochunk/runtime';
import { jax, ort, tf } from '../peers/browser.mjs';
import { autochunkContestant, describeContestant } from './autochunk.mjs';
import { decodeCase } from './case-files.mjs';
import { jaxContestant } from './jax.mjs';
import { ortContestant } from './ort.mjs';
import { planOf } from './plan-names.mjs';
import { alternate } from './rounds.mjs';
import { tfjsContestant } from './tfjs.mjs';

const get = async (path) => {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response;
};
const bytesOf = async (path) => new Uint8Array(await (await get(path)).arrayBuffer());

ort.env.wasm.wasmPaths = new URL('/ort/', location.href).href;
ort.env.logLevel = 'error';

const openOrt = (attention) => async (found) => {
  const session = await ort.InferenceSession.create(await bytesOf(`case/${attention}.onnx`), {
    executionProviders: ['webgpu'],
    graphOptimizationLevel: 'all',
  });
  return {
    ...ortContestant(ort, session, found.graph, found.data, found.names[attention]),
    about: `onnxruntime-web ${ort.env.versions.web}, webgpu, all graph optimisations`,
  };
};

const PEERS = {
  'onnxruntime-web': openOrt('ops'),
  'onnxruntime-web, fused attention': openOrt('fused'),
  async 'TensorFlow.js'({ graph, data }) {
    if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js has no backend webgpu here');
    await tf.ready();
    return { ...tfjsContestant(tf, graph, data), about: `TensorFlow.js ${tf.version_core}, webgpu` };
  },
  async 'jax-js'({ graph, data }) {
    if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('jax-js has no backend webgpu here');
    jax.defaultDevice('webgpu');
    return { ...jaxContestant(jax, graph, data), about: 'jax-js, webgpu, jit' };
  },
};

async function openAutochunk(plan, found) {
  const source = await (await get(`case/${encodeURIComponent(plan)}.js`)).text();
  const device = await runtime.openDevice({ backend: 'webgpu' });
  return {
    ...autochunkContestant(runtime, device, source, found),
    about: describeContestant(device, plan),
  };
}

globalThis.page = {
  /** The adapter's name; null where the browser has none. */
  async adapter() {
    const adapter = await navigator.gpu?.requestAdapter();
    return adapter
      ? [adapter.info.vendor, adapter.info.architecture, adapter.info.description].join(' ').trim()
      : null;
  },
  /** Plans of autochunk by their contestants' names, then the other libraries. */
  async compare(plans, settings) {
    const json = await (await get('case/case.json')).text();
    const { buffer } = await bytesOf('case/data.bin');
    const found = decodeCase(json, buffer);
    const open = (name) => {
      const plan = planOf(name);
      return plan === undefined ? PEERS[name](found) : openAutochunk(plan, found);
    };
    const names = [...plans, ...Object.keys(PEERS)];
    const { entries, contestants } = await alternate(open, names, {
      ...settings,
      tell: (text) => console.info(text),
    });
    for (const entry of entries) {
      if (entry.error !== null) continue;
      const { peakBytes, close } = contestants.get(entry.name);
      entry.peakBytes = peakBytes ? await peakBytes() : null;
      await close();
    }
    return entries;
  },
};
