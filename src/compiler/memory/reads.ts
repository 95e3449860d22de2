import { definedBy, type Graph, type LoopNode, type Node, operandsOf, type ValueId } from '../../ir/node.ts';

/** How often nodes read each value; infinitely often where it is needed after them. */
export interface Reads {
  readonly times: ReadonlyMap<ValueId, number>;
  /** The values that the nodes define. */
  readonly defined: ReadonlySet<ValueId>;
}

export function readsIn(nodes: readonly Node[], keeps: (value: ValueId) => boolean): Reads {
  const times = new Map<ValueId, number>();
  const defined = new Set<ValueId>();
  for (const node of nodes) {
    for (const id of operandsOf(node)) times.set(id, (times.get(id) ?? 0) + 1);
    for (const { id } of definedBy(node)) defined.add(id);
  }
  for (const id of [...times.keys(), ...defined]) if (keeps(id)) times.set(id, Number.POSITIVE_INFINITY);
  return { times, defined };
}

/** What the nodes of a graph read; outputs are needed after them. */
export function readsInGraph({ nodes, outputs }: Graph): Reads {
  const values = new Set(outputs.map(({ value }) => value));
  return readsIn(nodes, (value) => values.has(value));
}

/** What the nodes of a loop's body read; what the loop carries is needed until the iteration ends. */
export function readsInBody({ body, carries }: LoopNode): Reads {
  const carried = new Set(carries.map(({ value }) => value));
  return readsIn(body.nodes, (value) => carried.has(value));
}
