/** Other libraries in Node, each set up as well as it can be. */
import { cpus } from 'node:os';
import { loadPeer } from '../peers/load.mjs';
import { fillInBrowserGlobals } from './browser-globals.mjs';
import { jaxContestant } from './jax.mjs';
import { ortContestant } from './ort.mjs';
import { tfjsContestant } from './tfjs.mjs';

/** On WebAssembly alone: its WebGPU does not come to an end in Node. */
export async function openOrt(graph, data, { onnx, outputs }) {
  const ort = await loadPeer('onnxruntime-web');
  ort.env.wasm.numThreads = cpus().length;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(onnx, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
  });
  return {
    ...ortContestant(ort, session, graph, data, outputs),
    about: `onnxruntime-web ${ort.env.versions.web}, wasm, SIMD, ${ort.env.wasm.numThreads} threads, all graph optimisations`,
  };
}

/** Its WebAssembly has no threads in Node. */
export async function openTfjs(graph, data, backend) {
  const { default: tf } = await loadPeer('@tensorflow/tfjs-core');
  const own = backend === 'webasm' ? 'wasm' : 'webgpu';
  if (own === 'webgpu') await provideWebGpu();
  await loadPeer(`@tensorflow/tfjs-backend-${own}`);
  if (!(await tf.setBackend(own))) throw new Error(`TensorFlow.js has no backend ${own} here`);
  await tf.ready();
  const how = own === 'wasm' ? 'wasm, SIMD, 1 thread' : 'webgpu';
  return { ...tfjsContestant(tf, graph, data), about: `TensorFlow.js ${tf.version_core}, ${how}` };
}

/** Its WebAssembly has threads through a `Worker` as browsers have it. */
export async function openJax(graph, data, backend) {
  const own = backend === 'webasm' ? 'wasm' : 'webgpu';
  if (own === 'webgpu') await provideWebGpu();
  const threads = fillInBrowserGlobals();
  const jax = await loadPeer('@jax-js/jax');
  if (!(await jax.init(own)).includes(own)) throw new Error(`jax-js has no backend ${own} here`);
  jax.defaultDevice(own);
  const how = own === 'wasm' ? `wasm, jit, ${threads} threads` : 'webgpu, jit';
  return { ...jaxContestant(jax, graph, data), about: `jax-js, ${how}` };
}

/** The GPU that autochunk uses, where browsers have it, with the interfaces that libraries look for. */
async function provideWebGpu() {
  const { gpuOfThisHost } = await import('../../dist/runtime/webgpu/adapter.js');
  const found = await gpuOfThisHost();
  if (!('gpu' in found)) throw new Error(found.reason);
  const { globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  globalThis.navigator ??= {};
  // What libraries look for beside the GPU.
  for (const [name, value] of Object.entries({ gpu: found.gpu, userAgent: `Node.js/${process.version}` }))
    if (globalThis.navigator[name] === undefined)
      Object.defineProperty(globalThis.navigator, name, { value, configurable: true });
}
