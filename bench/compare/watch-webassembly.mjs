/**
 * From now on the memories of WebAssembly modules are watched, those that are made here and those that modules bring along. The
 * function returned tells their size in bytes together: memories never shrink, so after a run it is the most that was needed, as the
 * library grows them.
 */
export function watchWebAssembly() {
  const memories = new Set();
  const { Memory, Instance, instantiate } = WebAssembly;
  const watch = (instance) => {
    for (const value of Object.values(instance.exports)) if (value instanceof Memory) memories.add(value);
    return instance;
  };
  WebAssembly.Memory = new Proxy(Memory, {
    construct(target, args) {
      const memory = new target(...args);
      memories.add(memory);
      return memory;
    },
  });
  WebAssembly.Instance = new Proxy(Instance, { construct: (target, args) => watch(new target(...args)) });
  WebAssembly.instantiate = async (...args) => {
    const result = await instantiate.apply(WebAssembly, args);
    watch(result instanceof Instance ? result : result.instance);
    return result;
  };
  return () => [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}
