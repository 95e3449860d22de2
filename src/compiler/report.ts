import { invariant } from '../errors.ts';
import { type Bindings, evalDim, evalShape } from '../ir/dims.ts';
import { fullestIteration, kindOf, loopSizes, unitsOf } from '../ir/loop.ts';
import {
  definedBy,
  type LoopNode,
  type OperandPart,
  type OpNode,
  resultOf,
  type TensorType,
  type ValueId,
} from '../ir/node.ts';
import type { CostTerms, LoopReport } from '../ir/plan.ts';
import type { Program, Step } from '../ir/program.ts';
import { addCosts, loopCost, NO_COST, scaleCost, sharesIn } from './cost/cost.ts';
import type { Weights } from './cost/cost-model.ts';
import { evalAttrs } from './graph/attrs.ts';
import { renameValue } from './graph/derived.ts';
import { sketchLoops } from './loops/place-loops.ts';
import { type Choice, computes } from './loops/region.ts';
import { bytesOf, type Sizes, simulate } from './memory/estimate.ts';
import { analyse, type State } from './memory/state.ts';

export interface LoopSummary {
  readonly loops: readonly LoopReport[];
  readonly cost: CostTerms;
}

/** A lowered plan and what it was made from. */
export interface Lowered {
  readonly program: Program;
  readonly choices: readonly Choice[];
  /** The graph without loops. */
  readonly unchunked: State;
}

/** What every loop of a lowered plan is for and what it costs, against the same graph without loops. */
export function reportLoops(lowered: Lowered, weights: Weights): LoopSummary {
  const reporter = new Reporter(lowered, weights);
  reporter.report(lowered.program.steps, {
    loops: [],
    bindings: {},
    types: lowered.unchunked.index.types,
    names: new Map(),
    iterations: 1,
    peak: undefined,
  });
  const { loops, cost } = reporter;
  return { loops, cost };
}

/** What is around a loop. */
interface Around {
  readonly loops: readonly LoopNode[];
  /** Values of the names of the loops around: the first iteration. */
  readonly bindings: Bindings;
  /** In numbers. */
  readonly types: ReadonlyMap<ValueId, TensorType>;
  /** From the values of the body around to those of the graph without loops. */
  readonly names: ReadonlyMap<ValueId, ValueId>;
  readonly iterations: number;
  /** Peak of the outermost loop around. */
  readonly peak: number | undefined;
}

class Reporter {
  readonly loops: LoopReport[] = [];
  cost = NO_COST;
  readonly #lowered: Lowered;
  readonly #weights: Weights;
  /** Most live bytes while a loop of the graph runs, by its id. */
  readonly #peaks: ReadonlyMap<string, number>;
  /** The plan without one of the loops inside loops, by the place of that loop. */
  readonly #without = new Map<string, State>();

  constructor(lowered: Lowered, weights: Weights) {
    this.#lowered = lowered;
    this.#weights = weights;
    this.#peaks = loopPeaks(lowered.program);
  }

  report(steps: readonly Step[], around: Around): void {
    for (const step of steps) if (step.kind === 'loop') this.#loop(step.loop, step.steps, around);
  }

  #loop(loop: LoopNode, steps: readonly Step[], around: Around): void {
    const { unchunked } = this.#lowered;
    const { types, iterations } = around;
    const calls = countCalls(steps);
    const { extent, chunkSize, chunks } = loopSizes(loop);
    const names = new Map(around.names);
    for (const { id, value } of loop.results) names.set(value, renameValue(id, names));
    const computed = [
      ...new Set([...valuesOf(loop, names), ...loop.carries.map(({ of }) => renameValue(of, names))]),
    ].filter((id) => unchunked.index.definedAt.has(id));
    const nodes = this.#wholeNodes(loop, computed, around);
    const shares = sharesIn(loop, opsOf(loop));
    const once = loopCost(nodes, bindLoop(loop, around), calls, chunkSize, types, this.#weights, shares);
    const cost = scaleCost(once, iterations);
    this.cost = addCosts(this.cost, cost);
    const peak = around.peak ?? (this.#peaks.get(loop.id) as number);
    const without =
      around.loops.length === 0
        ? Math.max(...computed.map((id) => peakOf(unchunked, id)))
        : this.#peakWithout(renameValue(resultOf(loop), names), around.loops);
    this.loops.push({
      id: loop.id,
      path: loop.scope,
      over: loop.over,
      axisOf: loop.results[0]?.axis ?? null,
      extent,
      chunkSize,
      chunks,
      depth: around.loops.length,
      kind: kindOf(loop),
      savesBytes: without - peak,
      savesAt: this.#heaviest(loop, steps),
      cost,
    });
    const bindings = fullestIteration(loop, around.bindings);
    this.report(steps, {
      loops: [...around.loops, loop],
      bindings,
      types: bodyTypes(loop, bindings),
      names,
      iterations: iterations * chunks,
      peak,
    });
  }

  /** What the loop computes, as whole as the loops around leave it. */
  #wholeNodes(loop: LoopNode, computed: readonly ValueId[], { loops, bindings }: Around): OpNode[] {
    const { index } = this.#lowered.unchunked;
    const whole = computed.map((id) => index.graph.nodes[index.definedAt.get(id) as number] as OpNode);
    if (loops.length === 0) return whole;
    const inside = { ...bindings, ...wholeBindings(loop) };
    const bound = bodyTypes(loop, inside);
    return opsOf(loop).map((node) => ({
      ...node,
      shape: (bound.get(node.id) as TensorType).shape,
      attrs: evalAttrs(node.attrs, inside),
      ...(node.reads ? { reads: node.reads.map((part) => bindPart(part, inside)) } : {}),
    }));
  }

  /**
   * Peak of the outermost loop around when the loop that computes the given value is left out. One loop does not change
   * the peak of another, so the loops in the same place of their families are left out together.
   */
  #peakWithout(value: ValueId, loops: readonly LoopNode[]): number {
    const { unchunked, choices } = this.#lowered;
    const place = placeOf(choices, value, loops.length);
    invariant(place, () => `no choice made the loop that computes ${value}`);
    const key = place.join();
    let without = this.#without.get(key);
    if (!without) {
      const fewer = choices.map((choice) => leaveOut(choice, place));
      without = analyse(sketchLoops(unchunked.index.graph, fewer), Number.POSITIVE_INFINITY);
      this.#without.set(key, without);
    }
    return peakOf(without, resultOf(loops[0] as LoopNode));
  }

  /** The value that would weigh most without the loop. */
  #heaviest(loop: LoopNode, steps: readonly Step[]): ValueId {
    let heaviest = resultOf(loop);
    let most = 0;
    const visit = (step: Step): void => {
      if (step.kind === 'loop') step.steps.forEach(visit);
      if (step.kind !== 'alloc' || step.role === 'scratch') return;
      const bytes = this.#lowered.unchunked.sizes.get(step.value) ?? 0;
      if (bytes > most) [heaviest, most] = [step.value, bytes];
    };
    steps.forEach(visit);
    return heaviest;
  }
}

/** Which loop inside which, by position: the one at a depth that computes a value. */
function placeOf(choices: readonly Choice[], value: ValueId, depth: number): readonly number[] | undefined {
  const around = choices.find(({ region }) => computes(region, value));
  if (!around) return undefined;
  const { inner = [] } = around;
  const at = inner.findIndex(({ region }) => computes(region, value));
  if (at < 0) return undefined;
  if (depth === 1) return [at];
  const deeper = placeOf([inner[at] as Choice], value, depth - 1);
  return deeper && [at, ...deeper];
}

/** A choice without the loop at a place inside it. */
function leaveOut(choice: Choice, [first, ...rest]: readonly number[]): Choice {
  const { region, chunkSize, inner = [] } = choice;
  const left = inner.flatMap((other, i) =>
    i !== first ? [other] : rest.length === 0 ? [] : [leaveOut(other, rest)],
  );
  return { region, chunkSize, inner: left };
}

function loopPeaks({ inputs, steps }: Program): Map<string, number> {
  const sizes: Sizes = new Map(inputs.map(({ id, shape }) => [id, bytesOf(shape, {})]));
  let live = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const peaks = new Map<string, number>();
  for (const step of steps) {
    let peak = live;
    live = simulate([step], live, sizes, {}, (_, now) => void (peak = Math.max(peak, now)));
    if (step.kind === 'loop') peaks.set(step.loop.id, peak);
  }
  return peaks;
}

const peakOf = ({ index, peaks }: State, value: ValueId): number =>
  peaks[index.definedAt.get(value) ?? -1] ?? 0;

const countCalls = (steps: readonly Step[]): number =>
  steps.reduce(
    (sum, step) => sum + (step.kind === 'call' ? 1 : step.kind === 'loop' ? countCalls(step.steps) : 0),
    0,
  );

/** The values of the graph without loops that a loop computes, loops inside included. */
function valuesOf(loop: LoopNode, names: ReadonlyMap<ValueId, ValueId>): ValueId[] {
  return loop.body.nodes.flatMap((node) => {
    if (node.kind === 'op') return [renameValue(node.id, names)];
    const inside = new Map(names);
    for (const { id, value } of node.results) inside.set(value, renameValue(id, names));
    return valuesOf(node, inside);
  });
}

/** Names of a loop and of the loops inside it, as if each ran once over its whole extent. */
const wholeBindings = (loop: LoopNode): Bindings =>
  Object.assign(
    unitsOf(loop, 0, loopSizes(loop).extent),
    ...loop.body.nodes.map((node) => (node.kind === 'loop' ? wholeBindings(node) : {})),
  );

const bindPart = (part: OperandPart, bindings: Bindings): OperandPart => ({
  ...part,
  start: evalDim(part.start, bindings),
  length: evalDim(part.length, bindings),
});

const opsOf = (loop: LoopNode): OpNode[] =>
  loop.body.nodes.flatMap((node) => (node.kind === 'op' ? [node] : opsOf(node)));

/** Types of all values of a loop's body and of the loops inside, in numbers; names that are not bound yet bind to extents. */
function bodyTypes(loop: LoopNode, bindings: Bindings): Map<ValueId, TensorType> {
  const types = new Map<ValueId, TensorType>();
  const add = ({ id, shape, dtype }: TensorType & { id: ValueId }): void =>
    void types.set(id, { shape: evalShape(shape, bindings), dtype });
  for (const input of loop.body.inputs) add(input);
  for (const node of loop.body.nodes) {
    if (node.kind === 'op') {
      add(node);
      continue;
    }
    for (const result of definedBy(node)) add(result);
    const whole = unitsOf(node, 0, loopSizes(node).extent, bindings);
    for (const [id, type] of bodyTypes(node, whole)) types.set(id, type);
  }
  return types;
}

/** A loop with the shapes of its results in numbers. */
const bindLoop = (loop: LoopNode, { bindings }: Around): LoopNode => ({
  ...loop,
  results: loop.results.map((result) => ({ ...result, shape: evalShape(result.shape, bindings) })),
});
