/**
 * Runs graphs on another library. `ops` maps the name of an op to `(node, …operands) → value`; `ops.release(values)` is told of
 * values after the last node that reads them.
 */

/** When each value of a graph is read for the last time: the values to release after a node, by position. */
export function lastUses(graph) {
  const kept = new Set(graph.outputs.map(({ value }) => value));
  const releases = graph.nodes.map(() => []);
  const seen = new Set();
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const { id, operands } = graph.nodes[i];
    for (const operand of [...operands, id]) {
      if (seen.has(operand) || kept.has(operand)) continue;
      seen.add(operand);
      releases[i].push(operand);
    }
  }
  return releases;
}

/**
 * Splits a graph in what depends on parameters alone, which is computed once, and the rest, whose parameters then are those
 * of the graph and the values of the first part that it reads.
 */
export function splitConstant(graph) {
  const known = new Set(graph.params.map(({ id }) => id));
  const constant = [];
  const rest = [];
  for (const node of graph.nodes) {
    const isConstant = node.operands.every((operand) => known.has(operand));
    if (isConstant) known.add(node.id);
    (isConstant ? constant : rest).push(node);
  }
  const read = new Set([
    ...rest.flatMap(({ operands }) => operands),
    ...graph.outputs.map(({ value }) => value),
  ]);
  const made = new Set(constant.map(({ id }) => id));
  return {
    constant: {
      ...graph,
      nodes: constant,
      outputs: [...known].filter((id) => read.has(id)).map((id) => ({ name: id, value: id })),
    },
    rest: {
      ...graph,
      nodes: rest,
      params: [...known].filter((id) => read.has(id)).map((id) => ({ id, made: made.has(id) })),
    },
  };
}

/** The values of the outputs, by name. Inputs and parameters stay with the caller. */
export function interpret(graph, ops, values) {
  const given = new Set(Object.keys(values));
  const all = new Map(Object.entries(values));
  const releases = lastUses(graph);
  graph.nodes.forEach((node, i) => {
    const op = ops[node.op];
    if (op === undefined)
      throw new Error(`${node.op} (${node.id}): this op has no translation to ${ops.library}`);
    all.set(node.id, op(node, ...node.operands.map((id) => all.get(id))));
    for (const id of releases[i]) {
      if (given.has(id)) continue;
      ops.release(all.get(id));
      all.delete(id);
    }
  });
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, all.get(value)]));
}
