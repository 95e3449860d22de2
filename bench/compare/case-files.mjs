/**
 * A case as two files that Node and browsers read: `case.json` (graph, names of the outputs of ONNX files, places of the data) and
 * `data.bin` (inputs and parameters, float32, one after another).
 */
export function encodeCase({ graph, names, data }) {
  const arrays = [];
  let length = 0;
  const place = (elements) => {
    const at = [length, elements.length];
    arrays.push(elements);
    length += elements.length;
    return at;
  };
  const places = (list) =>
    Object.fromEntries(Object.entries(list).map(([id, elements]) => [id, place(elements)]));
  const json = JSON.stringify({ graph, names, inputs: places(data.inputs), params: places(data.params) });
  const all = new Float32Array(length);
  let at = 0;
  for (const elements of arrays) {
    all.set(elements, at);
    at += elements.length;
  }
  return { json, bytes: new Uint8Array(all.buffer) };
}

/** @param buffer the bytes of data.bin, whose parts the arrays are */
export function decodeCase(json, buffer) {
  const { graph, names, inputs, params } = JSON.parse(json);
  const parts = (places) =>
    Object.fromEntries(
      Object.entries(places).map(([id, [at, length]]) => [id, new Float32Array(buffer, at * 4, length)]),
    );
  return { graph, names, data: { inputs: parts(inputs), params: parts(params) } };
}
