import {
  aligned,
  bordersOf,
  type Cut,
  contractedLabels,
  coversCut,
  describeCut,
  type Flow,
  forward,
  isContraction,
  isObstacle,
  type NodeCut,
  type Obstacle,
  sameCut,
  sameSteps,
  unionCut,
} from '../../ir/flow.ts';
import {
  definedBy,
  type Node,
  type OpNode,
  operandsOf,
  type TensorType,
  type ValueId,
} from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { AccessPattern } from '../../ir/pattern.ts';
import { flowThrough, type GraphIndex, patternOf } from '../graph/graph-index.ts';
import { flowOf, type Region, usedOutside } from '../loops/region.ts';
import { canStream, isStreamed } from '../loops/stream.ts';

/** Why a chunk flow did not reach further: which rule stopped it, where. */
export interface Rejection extends Obstacle {
  readonly node: ValueId;
}

export interface SearchOptions {
  /** How many nodes before and after the peak a region may reach. */
  readonly window: number;
  /** Whether windows may be cut, so that iterations share borders. Default: true. */
  readonly borders?: boolean;
  /** Whether a loop may cut what its last node adds up; false unless said. */
  readonly splitReductions?: boolean;
  /** Told of every obstacle the flows met. */
  readonly onRejection?: (rejection: Rejection) => void;
}

/**
 * Every legal chunk region around the node at `peak` that contains it.
 *
 * A region is what one chunk flow reaches inside an interval of execution order. The flow starts at an axis of the last
 * node and goes bottom-up, from results to operands, as long as the access patterns allow; values it needs whole are
 * computed before the loop, with everything they need. Nodes it does not meet join the loop when the values they read
 * are cut in a way that cuts their own result too, and are moved out of it otherwise.
 */
export function searchRegions(index: GraphIndex, peak: number, options: SearchOptions): Region[] {
  const lowest = Math.max(0, peak - options.window);
  const highest = Math.min(index.graph.nodes.length - 1, peak + options.window);
  const regions: Region[] = [];
  const seen = new Set<string>();
  const from = new Set<ValueId>(definedBy(index.graph.nodes[peak] as Node).map(({ id }) => id));
  for (let last = peak; last <= highest; last++) {
    const node = index.graph.nodes[last] as Node;
    // A flow goes through operands: only what is computed from the peak leads back to it.
    if (last > peak && !operandsOf(node).some((id) => from.has(id))) continue;
    for (const { id } of definedBy(node)) from.add(id);
    if (node.kind === 'loop') continue;
    for (const { cutAt, extent } of waysToCut(node, index, options)) {
      for (const multiples = [1]; multiples.length > 0; ) {
        const multiple = multiples.pop() as number;
        const cut = cutAt(multiple);
        const key = `${last} ${describeCut(cut)} ${multiple}`;
        if (seen.has(key) || extent % multiple !== 0 || extent === multiple) continue;
        seen.add(key);
        const units = extent / multiple;
        const flow = new ChunkFlow(index, last, cut, units, options);
        flow.follow(peak);
        const reaches = flow.reaches(peak);
        if (reaches) flow.follow(lowest);
        for (const step of flow.steps) multiples.push(multiple * step);
        if (!reaches) continue;
        // What a contraction alone reads is whole anyway.
        const nearest = isContraction(cut) ? Math.min(peak, last - 1) : peak;
        for (let first = nearest; first >= lowest; first--) {
          if (!flow.reaches(first)) continue;
          for (const cuts of flow.regions(first, peak)) regions.push({ cuts, extent: units });
        }
      }
    }
  }
  return regions;
}

/** The axes of a node, and what it contracts: an extent each, and how a loop cuts it in steps of a multiple. */
function waysToCut(
  node: OpNode,
  index: GraphIndex,
  { splitReductions = false }: SearchOptions,
): { readonly cutAt: (multiple: number) => NodeCut; readonly extent: number }[] {
  const axes = node.shape.map((extent, axis) => ({
    cutAt: (multiple: number) => ({ axis, multiple }),
    extent: extent as number,
  }));
  // A node that reads a part of what another one reads more of is computed at once.
  const isSplit = splitReductions && !node.hints?.noChunk && node.reads === undefined;
  const pattern = isSplit ? patternOf(node, index.types) : undefined;
  const types = node.operands.map((id) => index.types.get(id) as TensorType);
  const labels = pattern ? contractedLabels(pattern) : [];
  const sums = labels
    .filter((label) => opDef(node.op).split?.(types, node.attrs, label) !== undefined)
    .map((contracts) => ({
      cutAt: (multiple: number) => ({ contracts, multiple }),
      extent: pattern?.extents[contracts] as number,
    }));
  return [...axes, ...sums];
}

/** One chunk flow, from an axis of the node at `last`, or what it contracts, back. */
class ChunkFlow {
  /** Factors by which a coarser cut of the last node would pass an obstacle. */
  readonly steps = new Set<number>();
  readonly #index: GraphIndex;
  readonly #last: number;
  readonly #units: number;
  readonly #borders: boolean;
  /** The nodes behind this position have been passed. */
  #next: number;
  readonly #cuts = new Map<number, NodeCut>();
  readonly #hoisted = new Set<number>();
  readonly #reject: (node: ValueId, obstacle: Obstacle) => void;

  constructor(
    index: GraphIndex,
    last: number,
    cut: NodeCut,
    units: number,
    { onRejection, borders = true }: SearchOptions,
  ) {
    this.#index = index;
    this.#last = last;
    this.#units = units;
    this.#borders = borders;
    this.#reject = (node, obstacle) => onRejection?.({ node, ...obstacle });
    this.#cuts.set(last, cut);
    this.#next = last;
  }

  /** Goes on as far back as the node at a position. */
  follow(position: number): void {
    for (; this.#next >= position; this.#next--) this.#pass(this.#next);
  }

  /** Is the node at this position cut by the flow? */
  reaches(position: number): boolean {
    return this.#cuts.has(position) && !this.#hoisted.has(position);
  }

  /** Nodes are visited after all their users: what is known about a node here is final. */
  #pass(position: number): void {
    const node = this.#index.graph.nodes[position] as Node;
    const wanted = this.#cuts.get(position);
    if (!this.#hoisted.has(position)) {
      if (wanted === undefined) return;
      const cut = this.#aligned(node, wanted);
      this.#cuts.set(position, cut);
      const flow = this.#flow(node, cut);
      if (flow) {
        (node as OpNode).operands.forEach((id, i) => void this.#require(id, flow.operands[i]));
        return;
      }
      this.#hoisted.add(position);
    }
    for (const id of operandsOf(node)) this.#require(id, undefined);
  }

  /** Borders that a node cannot be cut at are widened. */
  #aligned(node: Node, cut: NodeCut): NodeCut {
    const pattern =
      node.kind === 'op' && !isContraction(cut) ? patternOf(node, this.#index.types) : undefined;
    return pattern ? aligned(pattern, cut as Cut) : cut;
  }

  #backward(pattern: AccessPattern, cut: NodeCut): Flow | Obstacle {
    const flow = flowThrough(pattern, cut);
    if (isContraction(cut) || this.#borders || isObstacle(flow) || flow.windows.length === 0) return flow;
    const message = `a window slides along axis ${cut.axis}: modules for a range of sizes do not cut it`;
    return { rule: 'traceability', axis: cut.axis, message };
  }

  #flow(node: Node, cut: NodeCut): Flow | undefined {
    if (node.kind === 'loop' || node.hints?.noChunk) return undefined;
    if (isStreamed(node, cut) && node.reads === undefined && this.#streams(node))
      return { operands: [cut], shifts: [], windows: [] };
    const pattern = patternOf(node, this.#index.types);
    const flow: Flow | Obstacle = pattern
      ? this.#backward(pattern, cut)
      : {
          rule: 'basic',
          axis: isContraction(cut) ? -1 : cut.axis,
          message: `${node.op} cannot be cut: it has no access pattern`,
        };
    if (!isObstacle(flow)) return flow;
    if (flow.multiple !== undefined) this.steps.add(flow.multiple / gcd(flow.multiple, cut.multiple));
    this.#reject(node.id, flow);
    return undefined;
  }

  /** Does all that reads softmax add up, in parts, what it gives? */
  #streams(softmax: OpNode): boolean {
    const { graph } = this.#index;
    const cuts = new Map<ValueId, NodeCut>();
    for (const [position, cut] of this.#cuts) {
      if (!this.#hoisted.has(position)) cuts.set((graph.nodes[position] as OpNode).id, cut);
    }
    return canStream(this.#index, cuts, softmax);
  }

  #require(id: ValueId, cut: Cut | undefined): void {
    const position = this.#index.definedAt.get(id);
    if (position === undefined) return;
    if (cut === undefined) {
      this.#hoisted.add(position);
      return;
    }
    const known = this.#cuts.get(position);
    if (known === undefined) this.#cuts.set(position, cut);
    else if (isContraction(known)) this.#hoisted.add(position);
    else if (sameSteps(known, cut)) this.#cuts.set(position, unionCut(known, cut));
    else {
      this.#hoisted.add(position);
      const message = `needed cut along axis ${known.axis} and along axis ${cut.axis}, in steps of ${known.multiple} and ${cut.multiple}`;
      this.#reject(id, { rule: 'unique', axis: cut.axis, message });
    }
  }

  /** The regions of the interval from `first` to the last node that contain the node at `peak`. */
  regions(first: number, peak: number): ReadonlyMap<ValueId, NodeCut>[] {
    const { nodes } = this.#index.graph;
    const cuts = new Map<ValueId, NodeCut>();
    const late = new Set<ValueId>();
    let joined = 0;
    const plain = new Map<ValueId, NodeCut>();
    for (let position = first; position <= this.#last; position++) {
      const node = nodes[position] as Node;
      if (this.reaches(position)) {
        cuts.set((node as OpNode).id, this.#cuts.get(position) as NodeCut);
        plain.set((node as OpNode).id, this.#cuts.get(position) as NodeCut);
        continue;
      }
      if (this.#hoisted.has(position)) continue;
      const operands = operandsOf(node);
      if (!operands.some((id) => cuts.has(id) || late.has(id))) continue;
      const cut = this.#join(node, cuts, late);
      if (cut) {
        cuts.set((node as OpNode).id, cut);
        joined++;
      } else {
        for (const { id } of definedBy(node)) late.add(id);
      }
    }
    if (!cuts.has((nodes[peak] as OpNode).id)) return [];
    return (joined > 0 ? [cuts, plain] : [cuts]).filter(
      (found) => this.#isGathered(found) && this.#addsUpAll(found),
    );
  }

  /** Does what adds up read just what its operands compute, without the borders that others need? */
  #addsUpAll(cuts: ReadonlyMap<ValueId, NodeCut>): boolean {
    const last = this.#index.graph.nodes[this.#last] as OpNode;
    if (!isContraction(cuts.get(last.id) as NodeCut)) return true;
    return [...cuts].every(([id, cut]) => {
      const node = this.#index.graph.nodes[this.#index.definedAt.get(id) as number] as OpNode;
      if (!isContraction(cut) && !isStreamed(node, cut)) return true;
      const { operands } = flowOf(node, cut, this.#index.types);
      return node.operands.every((operand, i) => {
        const made = cuts.get(operand);
        return made === undefined || (!isContraction(made) && sameCut(made, operands[i]));
      });
    });
  }

  /** Do the iterations together compute all of every value that is needed outside? */
  #isGathered(cuts: ReadonlyMap<ValueId, NodeCut>): boolean {
    for (const [id, cut] of cuts) {
      if (isContraction(cut)) continue;
      const { shape } = this.#index.types.get(id) as TensorType;
      const { before, after } = bordersOf(cut);
      const covered = cut.multiple * this.#units + after;
      if (before + after >= 0 && covered >= (shape[cut.axis] as number)) continue;
      if (!usedOutside(this.#index, { cuts, extent: this.#units }, id)) continue;
      const message = `windows leave out elements of axis ${cut.axis} that are needed outside the loop`;
      this.#reject(id, { rule: 'alignment', axis: cut.axis, message });
      return false;
    }
    return true;
  }

  /** The cut with which a node that the flow did not meet can run inside the loop. */
  #join(node: Node, cuts: ReadonlyMap<ValueId, NodeCut>, late: ReadonlySet<ValueId>): Cut | undefined {
    if (node.kind === 'loop' || node.hints?.noChunk) return undefined;
    if (node.operands.some((id) => late.has(id))) return undefined;
    const pattern = patternOf(node, this.#index.types);
    if (!pattern) return undefined;
    const operand = node.operands.findIndex((id) => cuts.has(id));
    const read = cuts.get(node.operands[operand] as ValueId) as NodeCut;
    if (isContraction(read)) return undefined;
    const cut = forward(pattern, operand, read);
    if (isObstacle(cut)) {
      this.#reject(node.id, { ...cut, rule: 'alignment' });
      return undefined;
    }
    if (node.shape[cut.axis] !== cut.multiple * this.#units) return undefined;
    const flow = this.#backward(pattern, cut);
    if (isObstacle(flow)) {
      this.#reject(node.id, flow);
      return undefined;
    }
    const isThere = (id: ValueId, need: Cut | undefined): boolean => {
      const made = cuts.get(id);
      return made === undefined || (!isContraction(made) && need !== undefined && coversCut(made, need));
    };
    return node.operands.every((id, i) => isThere(id, flow.operands[i])) ? cut : undefined;
  }
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
