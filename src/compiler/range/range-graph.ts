import { type Bindings, type Dim, evalDim } from '../../ir/dims.ts';
import type { Graph, Node, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { AccessPattern } from '../../ir/pattern.ts';
import { setPattern } from '../graph/graph-index.ts';
import { specialise } from '../passes/specialise.ts';
import type { Interval } from './polynomial.ts';

/**
 * One graph for all values of a named dimension, and the same graph in numbers at any one of them: same nodes, same
 * names, and in both the access patterns that hold for all values. What can be cut at one size but not at others (axes
 * that happen to be equal, merged axes whose inner part has a named extent) is not cut at all.
 */
export class RangeGraph {
  readonly symbolic: Graph;
  readonly interval: Interval;

  /** `symbolic` has the one named dimension of `interval` and no loops. */
  constructor(symbolic: Graph, interval: Interval) {
    this.symbolic = symbolic;
    this.interval = interval;
    this.#share(interval.to, symbolic);
  }

  /** @throws UserError for a size at which the model does not fit */
  at(size: number): Graph {
    const graph = specialise(this.symbolic, { [this.interval.name]: size });
    this.#share(size, graph);
    return graph;
  }

  /** The same graphs for the sizes up to one of the range. */
  upTo(size: number): RangeGraph {
    return new RangeGraph(this.symbolic, { ...this.interval, to: size });
  }

  /** The same graphs with the nodes in another order. */
  inOrder(ids: readonly ValueId[]): RangeGraph {
    const known = new Map(this.symbolic.nodes.map((node) => [node.id, node]));
    const ordered = ids.map((id) => known.get(id) as Node);
    return new RangeGraph({ ...this.symbolic, nodes: ordered }, this.interval);
  }

  /**
   * A size close to the upper end at which no two extents that differ are the same number, so that the search cannot take one for
   * the other. The upper end itself where it is such a size or there is none.
   */
  anchor(): number {
    const { from, to } = this.interval;
    const { inputs, params, nodes } = this.symbolic;
    const values = [...inputs, ...params, ...(nodes as readonly OpNode[])];
    const extents = new Set<Dim>(values.flatMap(({ shape }) => shape));
    const differ = (size: number): boolean => {
      const numbers = [...extents].map((dim) => evalDim(dim, { [this.interval.name]: size }));
      return new Set(numbers).size === numbers.length;
    };
    for (let size = to; size >= Math.max(from, to - NEARBY); size--) if (differ(size)) return size;
    return to;
  }

  /** Gives the nodes of a graph the patterns of the symbolic one, with the extents of one size. */
  #share(size: number, to: Graph): void {
    const bindings = { [this.interval.name]: size };
    const types = new Map<ValueId, TensorType>();
    for (const value of [...this.symbolic.inputs, ...this.symbolic.params]) types.set(value.id, value);
    for (const [i, node] of (this.symbolic.nodes as readonly OpNode[]).entries()) {
      const operands = node.operands.map((id) => types.get(id) as TensorType);
      const pattern = opDef(node.op).access?.(operands, node.attrs, node);
      setPattern(to.nodes[i] as OpNode, pattern && atSize(pattern, bindings));
      types.set(node.id, node);
    }
  }
}

/** How far below the upper end an anchor is looked for. */
const NEARBY = 64;

/** A pattern in numbers. An axis whose inner labels have named extents is needed whole: its steps depend on the size. */
function atSize(pattern: AccessPattern, bindings: Bindings): AccessPattern {
  const whole = new Set(pattern.whole);
  for (const axes of [...pattern.operands, pattern.output]) {
    for (const { labels } of axes) {
      const [first, ...inner] = labels;
      if (first !== undefined && inner.some((label) => typeof pattern.extents[label] === 'string'))
        whole.add(first);
    }
  }
  const extents = Object.fromEntries(
    Object.entries(pattern.extents).map(([label, extent]) => [label, evalDim(extent, bindings)]),
  );
  return { ...pattern, extents, whole: [...whole] };
}
