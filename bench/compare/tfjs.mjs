import { interpret, splitConstant } from './interpret.mjs';
import { tfjsOps } from './tfjs-ops.mjs';

/** A graph on the backend that TensorFlow.js is set to. */
export function tfjsContestant(tf, graph, data) {
  const ops = tfjsOps(tf);
  const upload = (list, elements) =>
    Object.fromEntries(list.map(({ id, shape, dtype }) => [id, ops.tensor(elements[id], shape, dtype)]));
  const params = upload(graph.params, data.params);
  const inputs = upload(graph.inputs, data.inputs);
  const { constant, rest } = splitConstant(graph);
  const given = { ...params, ...interpret(constant, ops, params), ...inputs };
  const compute = () => interpret(rest, ops, given);
  const read = async (outputs) => {
    const entries = Object.entries(outputs);
    const read = await Promise.all(entries.map(async ([name, tensor]) => [name, await tensor.data()]));
    tf.dispose(outputs);
    return Object.fromEntries(read);
  };
  return {
    run: () => read(compute()),
    /** Bytes of all tensors at the peak of a run beside inputs and parameters. */
    async peakBytes() {
      const { numBytes } = tf.memory();
      const { peakBytes, result } = await tf.profile(compute);
      tf.dispose(result);
      return peakBytes - numBytes;
    },
    close() {
      ops.close();
      tf.dispose(given);
    },
  };
}
