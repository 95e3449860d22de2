/** onnxruntime-web: the graph as an ONNX file. */
import { cpus } from 'node:os';
import { encodeModel } from '../onnx/encode.ts';
import { exportGraph } from '../onnx/export-graph.ts';
import { loadPeer } from '../peers/load.mjs';

const ort = await loadPeer('onnxruntime-web');
ort.env.wasm.numThreads = cpus().length;
ort.env.logLevel = 'error';

/**
 * @param attention 'ops': products and softmax; 'fused': ONNX Runtime's MultiHeadAttention
 * @returns a contestant, see contestants.mjs
 */
export async function openOrt(graph, data, attention) {
  const model = exportGraph(graph, data.params, { attention });
  const session = await ort.InferenceSession.create(encodeModel(model), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
  });
  const feeds = Object.fromEntries(
    graph.inputs.map(({ id, shape, dtype }) => [
      id,
      dtype === 'i32'
        ? new ort.Tensor('int32', Int32Array.from(data.inputs[id]), shape)
        : new ort.Tensor('float32', data.inputs[id], shape),
    ]),
  );
  return {
    about: `onnxruntime-web ${ort.env.versions.web}, wasm, ${ort.env.wasm.numThreads} threads, all graph optimisations`,
    async run() {
      const results = await session.run(feeds);
      return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, results[model.outputs[i].name].data]));
    },
    close: () => session.release(),
  };
}
