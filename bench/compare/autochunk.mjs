/**
 * A generated module of autochunk on a device.
 *
 * @param runtime the namespace of `autochunk/runtime`
 * @param source the module, as CommonJS
 */
export function autochunkContestant(runtime, device, source, { graph, data }) {
  const module = {};
  new Function('exports', 'require', source)(module, () => runtime);
  const { info, run } = module;
  const elements = new Map(graph.params.map(({ id, key, shape }) => [key, { shape, data: data.params[id] }]));
  const params = runtime.loadParameters(device, info.params, elements);
  const upload = (wanted) => {
    const some = Object.entries(info.inputs).filter(([, input]) => wanted(input));
    const values = some.map(([id]) => [id, data.inputs[id]]);
    return runtime.uploadInputs(device, Object.fromEntries(some), Object.fromEntries(values));
  };
  const kept = upload(({ donated }) => !donated);
  const runOnce = async () => {
    // A module takes donated inputs over: they are uploaded anew.
    const inputs = { ...kept, ...upload(({ donated }) => donated) };
    const { result, peakBytes } = await runtime.measure(device, () => run(device, inputs, params));
    const outputs = {};
    for (const [name, tensor] of Object.entries(result)) outputs[name] = await device.read(tensor);
    for (const tensor of new Set(Object.values(result))) tensor.free();
    return { outputs, peakBytes };
  };
  return {
    run: async () => (await runOnce()).outputs,
    peakBytes: async () => (await runOnce()).peakBytes,
    close: () => device.destroy(),
  };
}

/** What a device and a plan are, for reports. */
export function describeContestant(device, plan) {
  const threads = device.backend === 'webasm' ? `, ${device.threads} threads` : '';
  return `autochunk, ${device.backend} (${device.adapter})${threads}, ${plan === 'unchunked' ? plan : `budget ${plan}`}`;
}
