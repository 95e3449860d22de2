import { type Formula, MOST_OPERANDS } from '../../formula/formula.ts';
import { printFormula } from '../../formula/print.ts';
import { sameShape } from '../../ir/dims.ts';
import type { Attrs, FusedPart, Graph, Node, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { isPart } from '../../ir/ops/fused.ts';
import { opDef } from '../../ir/ops/index.ts';
import { type GraphIndex, indexGraph } from '../graph/graph-index.ts';

/** Formulas are lines for people to read. */
const LONGEST = 72;

/** An elementwise op and those that it computes its operands with. */
interface Chain {
  readonly node: OpNode;
  readonly operands: readonly (ValueId | Chain)[];
}

/**
 * Elementwise ops that feed nothing but one another become one: a kernel that reads their operands and writes the last
 * result. Values in between are never stored, and at no moment are more bytes alive than without: where operands would
 * have to be kept for longer than what they become, ops stay apart. So do ops of different scopes, whose layers loops may take to
 * different places, and ops that the author hints at differently.
 */
export function fuse(graph: Graph): Graph {
  const { chains, absorbed } = new Fusion(graph).run();
  if (absorbed.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    if (absorbed.has(node.id)) return [];
    const chain = chains.get(node.id);
    return [chain?.operands.some(isChain) ? fusedNode(chain) : node];
  });
  return { ...graph, nodes };
}

const isChain = (operand: ValueId | Chain): operand is Chain => typeof operand !== 'string';

class Fusion {
  readonly #graph: Graph;
  readonly #index: GraphIndex;
  readonly #chains = new Map<ValueId, Chain>();
  readonly #absorbed = new Set<ValueId>();
  /** The values that views show parts of. */
  readonly #sources = new Map<ValueId, ValueId>();
  /** Positions of the nodes that read a value last, itself or through views. */
  readonly #lastUse = new Map<ValueId, number>();
  /** Values that stay, whoever reads them: what the caller owns, and outputs. */
  readonly #kept = new Set<ValueId>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#index = indexGraph(graph);
    for (const { id } of graph.params) this.#kept.add(id);
    for (const { id, donated } of graph.inputs) if (!donated) this.#kept.add(id);
    graph.nodes.forEach((node, position) => {
      if (node.kind === 'op' && isView(node)) {
        this.#sources.set(node.id, this.#sourceOf(node.operands[0] as ValueId));
        return;
      }
      const read =
        node.kind === 'op' ? node.operands : [...node.slices.map(({ operand }) => operand), ...node.whole];
      for (const id of read) this.#lastUse.set(this.#sourceOf(id), position);
    });
    for (const { value } of graph.outputs) this.#kept.add(this.#sourceOf(value));
  }

  run(): { readonly chains: ReadonlyMap<ValueId, Chain>; readonly absorbed: ReadonlySet<ValueId> } {
    this.#graph.nodes.forEach((node, position) => {
      if (node.kind === 'op' && canBePart(node)) this.#chains.set(node.id, this.#chainOf(node, position));
    });
    return { chains: this.#chains, absorbed: this.#absorbed };
  }

  /** The chain that ends in a node at a position. */
  #chainOf(node: OpNode, position: number): Chain {
    let chain: Chain = { node, operands: node.operands };
    const definedAt = (id: ValueId): number => this.#index.definedAt.get(id) ?? -1;
    // The nearest first: what is taken in no longer stands between the others and the node.
    for (const id of [...node.operands].sort((a, b) => definedAt(b) - definedAt(a))) {
      const part = this.#chains.get(id);
      if (!part || !this.#belongsTo(part.node, node)) continue;
      const longer = { node, operands: chain.operands.map((operand) => (operand === id ? part : operand)) };
      if (leavesOf(longer).length > MOST_OPERANDS || formulaText(longer).length > LONGEST) continue;
      if (!this.#takesNoMemory(part, node, position)) continue;
      chain = longer;
      this.#absorbed.add(id);
      for (const leaf of leavesOf(part)) {
        const source = this.#sourceOf(leaf);
        this.#lastUse.set(source, Math.max(this.#lastUse.get(source) ?? -1, position));
      }
    }
    return chain;
  }

  /** Is a value of the shape and the scope of the result, and read once and by it alone? */
  #belongsTo(part: OpNode, node: OpNode): boolean {
    const { usedAt, outputs } = this.#index;
    return (
      usedAt.get(part.id)?.length === 1 &&
      node.operands.filter((id) => id === part.id).length === 1 &&
      !outputs.has(part.id) &&
      sameShape(part.shape, node.shape) &&
      part.scope === node.scope &&
      JSON.stringify(part.hints) === JSON.stringify(node.hints)
    );
  }

  /**
   * Without the value of a part, its operands are kept up to the node at `position`. That takes nothing where nothing is
   * allocated in between, or where it is one operand of the same size, which the result may be written over as it might
   * over the value.
   */
  #takesNoMemory(part: Chain, node: OpNode, position: number): boolean {
    const from = this.#index.definedAt.get(part.node.id) as number;
    const between = this.#graph.nodes.slice(from + 1, position);
    if (between.every((other) => this.#absorbed.has(other.id) || (other.kind === 'op' && isView(other))))
      return true;
    const sources = new Set(leavesOf(part).map((leaf) => this.#sourceOf(leaf)));
    const longer = [...sources].filter(
      (source) => !this.#kept.has(source) && (this.#lastUse.get(source) as number) < position,
    );
    const [only] = longer;
    if (only === undefined || longer.length > 1) return longer.length === 0;
    const type = this.#index.types.get(only) as TensorType;
    const made = this.#graph.nodes[this.#index.definedAt.get(only) ?? -1];
    return (
      made?.kind === 'op' &&
      leavesOf(part).includes(only) &&
      type.dtype === node.dtype &&
      sameShape(type.shape, node.shape)
    );
  }

  #sourceOf = (id: ValueId): ValueId => this.#sources.get(id) ?? id;
}

const isView = ({ op }: OpNode): boolean => opDef(op).layout !== undefined;

/** Is a node an elementwise op whose attributes a formula can say? */
const canBePart = ({ op, attrs, reads }: OpNode): boolean =>
  isPart(op) &&
  reads === undefined &&
  Object.values(attrs).every((value) => typeof value === 'boolean' || Number.isFinite(value));

/** The values that a chain reads, each once, in order of their first use. */
const leavesOf = ({ operands }: Chain): ValueId[] => [
  ...new Set(operands.flatMap((operand) => (isChain(operand) ? leavesOf(operand) : [operand]))),
];

function formulaText(chain: Chain): string {
  const leaves = leavesOf(chain);
  const formula = ({ node, operands }: Chain): Formula => ({
    kind: 'op',
    op: node.op,
    operands: operands.map((operand) =>
      isChain(operand) ? formula(operand) : { kind: 'operand', index: leaves.indexOf(operand) },
    ),
    attrs: written(node),
  });
  return printFormula(formula(chain));
}

/** Attributes that are not the op's defaults. */
function written({ op, attrs }: OpNode): Readonly<Record<string, number | boolean>> {
  const defaults: Attrs = opDef(op).defaults ?? {};
  return Object.fromEntries(
    Object.entries(attrs as Record<string, number | boolean>).filter(
      ([key, value]) => !Object.is(value, defaults[key]),
    ),
  );
}

/** Named after its last part, and knows where the others come from. */
function fusedNode(chain: Chain): OpNode {
  const { node } = chain;
  return {
    ...node,
    op: 'fused',
    operands: leavesOf(chain),
    attrs: { formula: { text: formulaText(chain) } },
    parts: partsOf(chain),
  };
}

const partsOf = ({ operands }: Chain): FusedPart[] =>
  operands.filter(isChain).flatMap((chain) => {
    const { id, scope, at } = chain.node;
    return [...partsOf(chain), { id, scope, ...(at ? { at } : {}) }];
  });
