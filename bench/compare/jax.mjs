import { interpret, splitConstant } from './interpret.mjs';
import { jaxOps } from './jax-ops.mjs';

/** A graph on the default device of jax-js. */
export function jaxContestant(jax, graph, data) {
  const ops = jaxOps(jax);
  const upload = (list, elements) =>
    Object.fromEntries(list.map(({ id, shape, dtype }) => [id, ops.tensor(elements[id], shape, dtype)]));
  const params = upload(graph.params, data.params);
  const inputs = upload(graph.inputs, data.inputs);
  const { constant, rest } = splitConstant(graph);
  const given = { ...params, ...interpret(constant, ops, params), ...inputs };
  const used = Object.fromEntries([...rest.params, ...rest.inputs].map(({ id }) => [id, given[id]]));
  const compute = jax.jit((values) => {
    const outputs = interpret(rest, ops, values);
    for (const value of Object.values(values)) value.dispose();
    return outputs;
  });
  return {
    async run() {
      const outputs = compute(jax.tree.ref(used));
      const entries = Object.entries(outputs);
      return Object.fromEntries(
        await Promise.all(entries.map(async ([name, value]) => [name, await value.data()])),
      );
    },
    close() {
      compute.dispose();
      for (const value of Object.values(given)) value.dispose();
    },
  };
}
