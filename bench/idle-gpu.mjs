/** A WebGPU that accepts everything and does nothing: what is left of a run is the JavaScript of the runtime. */
export function idleGpu() {
  const limits = {
    maxStorageBuffersPerShaderStage: 10,
    maxStorageBufferBindingSize: 2 ** 30,
    maxBufferSize: 2 ** 30,
    minUniformBufferOffsetAlignment: 256,
    maxComputeWorkgroupsPerDimension: 65535,
  };
  const features = new Set();
  const nothing = () => {};
  const something = () => ({});
  const pass = { setPipeline: nothing, setBindGroup: nothing, dispatchWorkgroups: nothing, end: nothing };
  const device = {
    limits,
    features,
    lost: new Promise(nothing),
    queue: { writeBuffer: nothing, submit: nothing, onSubmittedWorkDone: async () => {} },
    createBuffer: ({ size }) => ({ size, destroy: nothing }),
    createCommandEncoder: () => ({ beginComputePass: () => pass, finish: something }),
    createBindGroup: something,
    createBindGroupLayout: something,
    createPipelineLayout: something,
    createShaderModule: something,
    createComputePipeline: something,
    pushErrorScope: nothing,
    popErrorScope: async () => null,
  };
  const info = { description: 'idle' };
  return { requestAdapter: async () => ({ limits, features, info, requestDevice: async () => device }) };
}
