/**
 * A graph as an ONNX file in onnxruntime-web.
 *
 * @param outputs names of the file's outputs, in the order of the graph's
 */
export function ortContestant(ort, session, graph, data, outputs) {
  const feeds = Object.fromEntries(
    graph.inputs.map(({ id, shape, dtype }) => [
      id,
      dtype === 'i32'
        ? new ort.Tensor('int32', Int32Array.from(data.inputs[id]), shape)
        : new ort.Tensor('float32', data.inputs[id], shape),
    ]),
  );
  return {
    async run() {
      const results = await session.run(feeds);
      const read = graph.outputs.map(async ({ name }, i) => [name, await results[outputs[i]].getData()]);
      return Object.fromEntries(await Promise.all(read));
    },
    close: () => session.release(),
  };
}
