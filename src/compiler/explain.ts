import { invariant, UserError } from '../errors.ts';
import { dimNames } from '../ir/dims.ts';
import { backward, type Cut, isObstacle, type Obstacle } from '../ir/flow.ts';
import { definedBy, type Graph, type LoopNode, type OpNode, resultOf, type ValueId } from '../ir/node.ts';
import type { Estimate, Plan } from '../ir/plan.ts';
import type { Program, Step } from '../ir/program.ts';
import { BudgetError } from './budget.ts';
import { renameValue } from './graph/derived.ts';
import { patternOf } from './graph/graph-index.ts';
import { analyse, type State } from './memory/state.ts';
import { fuse } from './passes/fuse.ts';
import { order } from './passes/order.ts';
import { separateNorms } from './passes/separate-norms.ts';
import { simplify } from './passes/simplify.ts';
import { specialise } from './passes/specialise.ts';
import { type PlanOptions, plan } from './pipeline.ts';
import { WINDOW } from './search/candidates.ts';
import { evaluate, loopPeak } from './search/evaluate.ts';
import { type Rejection, searchRegions } from './search/search.ts';

/** Why a plan is as it is. Plain data. */
export interface Explanation {
  /** The plan within the budget or, where there is none, the one with the smallest peak. */
  readonly plan: Plan;
  /** Why no plan meets the budget, where none does. */
  readonly unmet?: BudgetError;
  readonly limit: Limit;
  /** The nodes asked about. */
  readonly nodes: readonly NodeExplanation[];
}

/** What keeps the smallest peak from being smaller. */
export interface Limit {
  readonly peakBytes: number;
  /** What runs there, e.g. `h.0.attn/scores`. */
  readonly at: string;
  /** Loops around it in the plan with the smallest peak. */
  readonly loops: number;
  readonly alive: readonly AliveStorage[];
  /** The op that runs there, where it is one of the model. */
  readonly node?: NodeExplanation;
}

/** A storage that is alive at the smallest peak. */
export interface AliveStorage {
  readonly value: ValueId;
  readonly bytes: number;
  /** `chunk`: a part that an iteration of a loop computes; `scratch`: needed by a kernel while it runs. */
  readonly role: 'input' | 'output' | 'value' | 'chunk' | 'scratch';
  /** The op that reads it last, if one does. */
  readonly lastReader?: ValueId;
}

export interface NodeExplanation {
  readonly id: ValueId;
  readonly op: string;
  /** Scope and name, e.g. `h.0.attn/scores`. */
  readonly path: string;
  readonly shape: readonly number[];
  /** Live bytes while it runs, without any loop and in the plan. */
  readonly unchunkedPeakBytes: number;
  readonly plannedPeakBytes: number;
  /** Loops of the plan it runs in, outermost first, and the axis they cut. */
  readonly loops: readonly { readonly id: string; readonly axis: number }[];
  /**
   * `cut`: it runs in loops. `within-budget`: its memory fits without one. `relieved`: it would not fit, but loops over
   * other nodes leave it enough room.
   */
  readonly verdict: 'cut' | 'within-budget' | 'relieved';
  readonly axes: readonly AxisExplanation[];
  /** Where the chunk flows around it stop, and by which rule; the nearest first. */
  readonly stops: readonly Rejection[];
}

export interface AxisExplanation {
  readonly axis: number;
  readonly extent: number;
  /** The model's name of the extent, where it has one. */
  readonly dim?: string;
  /** Why no loop cuts this axis. */
  readonly obstacle?: Pick<Obstacle, 'rule' | 'message'>;
  /** The loop along this axis with the least memory: its first and last node, and its peak with the smallest chunks. */
  readonly best?: {
    readonly first: ValueId;
    readonly last: ValueId;
    readonly nodes: number;
    readonly peakBytes: number;
  };
}

/**
 * Compiles a traced graph and says why: what holds the smallest reachable peak, and for the nodes that `names` asks about
 * how they are cut or why they are not.
 *
 * @param names names of values (`scores`), or with their scope (`h.0.attn/scores`)
 * @throws UserError for a name that no node has, for dimensions that do not fit, and for a cap that cannot be kept.
 */
export function explain(graph: Graph, options: PlanOptions, names: readonly string[] = []): Explanation {
  const simple = simplify(specialise(graph, options.dims));
  const written = options.fuse === false ? simple : fuse(simple);
  const whole = analyse(order(separateNorms(written, options)), Number.POSITIVE_INFINITY);
  const asked = names.map((name) => findNode(whole.index.graph, name));
  const least = plan(graph, { ...options, budget: { kind: 'min' } });
  const { chosen, unmet } = choose(graph, options, least);
  return {
    plan: chosen,
    ...(unmet ? { unmet } : {}),
    limit: limitOf(least, whole),
    nodes: asked.map((node) => explainNode(node, whole, chosen)),
  };
}

/** The plan within the budget or, where there is none, the one with the smallest peak. */
function choose(
  graph: Graph,
  options: PlanOptions,
  least: Plan,
): { readonly chosen: Plan; readonly unmet?: BudgetError } {
  if (options.budget.kind === 'min') return { chosen: least };
  try {
    return { chosen: plan(graph, options) };
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
    return { chosen: least, unmet: error };
  }
}

const pathOf = ({ scope, id }: { scope: string; id: ValueId }): string =>
  scope === '' ? id : `${scope}/${id}`;

/** Most names a message lists. */
const LISTED = 8;

function findNode(graph: Graph, name: string): OpNode {
  const nodes = graph.nodes.filter((node): node is OpNode => node.kind === 'op');
  // A value that a fused op computes on the way is explained by that op.
  const named = nodes.flatMap((node) => [node, ...(node.parts ?? [])].map((value) => ({ node, value })));
  const exact = named.filter(({ value }) => value.id === name || pathOf(value) === name);
  if (exact.length === 1) return (exact[0] as (typeof exact)[number]).node;
  const alike = named.filter(({ value }) => value.id.includes(name) || pathOf(value).includes(name));
  const listed = alike
    .slice(0, LISTED)
    .map(({ value }) => pathOf(value))
    .join(', ');
  const more = alike.length > LISTED ? `, and ${alike.length - LISTED} more` : '';
  const hint =
    alike.length > 0
      ? `There are ${listed}${more}`
      : 'Views of views, equal computations and values that nobody uses are merged or dropped before the search; `inspect` lists the names of a model';
  throw new UserError(`${graph.name} has no node ${name}. ${hint}.`, { exitCode: 2 });
}

function explainNode(node: OpNode, whole: State, chosen: Plan): NodeExplanation {
  const { index } = whole;
  const position = index.definedAt.get(node.id) as number;
  const unchunkedPeakBytes = whole.peaks[position] as number;
  const loops = loopsAround(chosen.graph, node.id);
  const planned = analyse(chosen.graph, Number.POSITIVE_INFINITY);
  const outermost = loops[0] ? resultOf(loops[0].loop) : node.id;
  const plannedPeakBytes = planned.peaks[planned.index.definedAt.get(outermost) as number] as number;
  const { axes, stops } = explainAxes(node, position, whole);
  const fits = unchunkedPeakBytes <= chosen.budgetBytes;
  const verdict = loops.length > 0 ? 'cut' : fits ? 'within-budget' : 'relieved';
  return {
    id: node.id,
    op: node.op,
    path: pathOf(node),
    shape: node.shape as readonly number[],
    unchunkedPeakBytes,
    plannedPeakBytes,
    loops: loops.map(({ loop, axis }) => ({ id: loop.id, axis })),
    verdict,
    axes,
    stops,
  };
}

function explainAxes(node: OpNode, position: number, whole: State): Pick<NodeExplanation, 'axes' | 'stops'> {
  const stops = new Map<string, Rejection>();
  const regions = searchRegions(whole.index, position, {
    window: WINDOW,
    onRejection: (stop) => {
      if (stop.node !== node.id) stops.set(JSON.stringify([stop.node, stop.rule, stop.axis]), stop);
    },
  });
  const best: NonNullable<AxisExplanation['best']>[] = [];
  for (const region of regions) {
    const evaluation = evaluate(whole, region);
    if (!evaluation) continue;
    const { axis } = region.cuts.get(node.id) as Cut;
    const peakBytes = Math.max(evaluation.aroundBytes, loopPeak(evaluation, 1));
    if (peakBytes >= (best[axis]?.peakBytes ?? Number.POSITIVE_INFINITY)) continue;
    const ids = [...region.cuts.keys()];
    best[axis] = { first: ids[0] as ValueId, last: ids.at(-1) as ValueId, nodes: ids.length, peakBytes };
  }
  const axes = node.shape.map((extent, axis): AxisExplanation => {
    const dim = node.symbolic?.[axis];
    const obstacle = best[axis] ? undefined : obstacleAt(node, axis, whole);
    return {
      axis,
      extent: extent as number,
      ...(typeof dim === 'string' ? { dim } : {}),
      ...(obstacle ? { obstacle } : {}),
      ...(best[axis] ? { best: best[axis] } : {}),
    };
  });
  const distance = ({ node }: Rejection): number =>
    Math.abs((whole.index.definedAt.get(node) as number) - position);
  return { axes, stops: [...stops.values()].sort((a, b) => distance(a) - distance(b)) };
}

/** What stops a flow right at a node. */
function obstacleAt(node: OpNode, axis: number, { index }: State): AxisExplanation['obstacle'] {
  if (node.hints?.noChunk) return { rule: 'basic', message: 'the author asked never to cut it (noChunk)' };
  const pattern = patternOf(node, index.types);
  if (!pattern) return { rule: 'basic', message: `${node.op} cannot be cut: it has no access pattern` };
  const once = backward(pattern, { axis, multiple: 1 });
  const flow =
    isObstacle(once) && once.multiple !== undefined
      ? backward(pattern, { axis, multiple: once.multiple })
      : once;
  if (isObstacle(flow)) return { rule: flow.rule, message: flow.message };
  const message = `axis ${axis} merges axes, of which the outermost has extent 1: there is nothing to cut`;
  return { rule: 'traceability', message };
}

/** The loops of a plan that compute a value, outermost first, with the axis of the value that each cuts. */
function loopsAround(graph: Graph, value: ValueId): { loop: LoopNode; axis: number }[] {
  for (const node of graph.nodes) {
    if (node.kind !== 'loop') continue;
    const result = node.results.find(({ id }) => id === value);
    const carry = node.carries.find(({ of }) => of === value);
    const name = result?.value ?? carry?.value ?? value;
    const inside = node.body.nodes.find((inner) => definedBy(inner).some(({ id }) => id === name));
    if (!inside) {
      const deeper = loopsAround(node.body, name);
      if (deeper.length > 0) return [{ loop: node, axis: cutAxis(node, name) }, ...deeper];
      continue;
    }
    const deeper = inside.kind === 'loop' ? loopsAround(node.body, name) : [];
    return [{ loop: node, axis: cutAxis(node, name) }, ...deeper];
  }
  return [];
}

/** The axis of a body value that depends on the length of the loop. */
function cutAxis(loop: LoopNode, value: ValueId): number {
  const lengths = new Set([loop, ...loop.halos].map(({ length }) => length));
  const find = (graph: Graph): number => {
    for (const node of graph.nodes) {
      const defined = definedBy(node).find(({ id }) => id === value);
      if (defined) {
        return defined.shape.findIndex((dim) => dimNames(dim).some((name) => lengths.has(name)));
      }
      const inside = node.kind === 'loop' ? find(node.body) : -1;
      if (inside >= 0) return inside;
    }
    return -1;
  };
  return find(loop.body);
}

function limitOf(least: Plan, whole: State): Limit {
  const { planned, program } = least;
  const point = planned.timeline[planned.peakIndex];
  invariant(point, 'a timeline starts with the inputs');
  const at = runningAt(program, planned);
  const position = at && whole.index.definedAt.get(at.id);
  const node = position === undefined ? undefined : whole.index.graph.nodes[position];
  return {
    peakBytes: planned.peakBytes,
    at: at ? pathOf(at) : point.label,
    loops: point.loops.length,
    alive: aliveAt(program, planned),
    ...(node?.kind === 'op' ? { node: explainNode(node, whole, least) } : {}),
  };
}

/** The op that runs at the peak, by its name in the graph without loops. */
function runningAt(program: Program, planned: Estimate): OpNode | undefined {
  const value = planned.timeline[planned.peakIndex]?.value;
  const search = (steps: readonly Step[], names: ReadonlyMap<ValueId, ValueId>): OpNode | undefined => {
    for (const step of steps) {
      if (step.kind === 'call') {
        const involved = [step.node.id, step.into, ...step.scratch];
        if (involved.includes(value as ValueId))
          return { ...step.node, id: names.get(step.node.id) ?? step.node.id };
      } else if (step.kind === 'loop') {
        const inside = new Map(names);
        for (const result of step.loop.results) inside.set(result.value, renameValue(result.id, names));
        const found = search(step.steps, inside);
        if (found) return found;
      }
    }
    return undefined;
  };
  return search(program.steps, new Map());
}

function aliveAt(program: Program, planned: Estimate): AliveStorage[] {
  const roles = new Map<ValueId, AliveStorage['role']>(program.inputs.map(({ id }) => [id, 'input']));
  const readers = new Map<ValueId, ValueId>();
  const storages = new Map<ValueId, ValueId>();
  const storageOf = (id: ValueId): ValueId => storages.get(id) ?? id;
  const walk = (steps: readonly Step[], inside: boolean): void => {
    for (const step of steps) {
      if (step.kind === 'alloc') roles.set(step.value, step.role === 'value' && inside ? 'chunk' : step.role);
      else if (step.kind === 'view') storages.set(step.value, storageOf(step.of));
      else if (step.kind === 'call') for (const id of step.operands) readers.set(storageOf(id), step.node.id);
      else if (step.kind === 'loop') walk(step.steps, true);
    }
  };
  walk(program.steps, false);
  return planned.liveAtPeak.map(({ value, bytes }) => {
    const lastReader = readers.get(value);
    return { value, bytes, role: roles.get(value) ?? 'value', ...(lastReader ? { lastReader } : {}) };
  });
}
