import { definedBy, type Graph, type Node, operandsOf, type ValueId } from '../../ir/node.ts';
import { analyse, type State } from '../memory/state.ts';
import { type Dying, lowestOrder, type Task } from './schedule.ts';

/** Most kernels ordered at once. */
const WINDOW = 24;

/**
 * Moves independent nodes so that fewer bytes are alive at the peak. Nodes are reordered within windows that begin and
 * end where little is alive, and only in windows above the lowest peak that orders can reach: elsewhere, and where nothing
 * is gained, they stay as the author wrote them. Loops are nodes like others.
 */
export function order(graph: Graph): Graph {
  const state = analyse(graph, Number.POSITIVE_INFINITY);
  const lowestOrder = remembering();
  const parts = windows(state).map((window) => ({ window, written: peakOf(state, window) }));
  let reachable = 0;
  const orders = new Map<Window, readonly number[]>();
  // What no order of a higher window can go below need not be looked at.
  for (const { window, written } of [...parts].sort((a, b) => b.written - a.written)) {
    if (written <= reachable) break;
    const positions = kernelsOf(state, window);
    const { lowest } = lowestOrder(tasksOf(state, window, positions), dyingIn(state, window, positions));
    reachable = Math.max(reachable, lowest ? (state.before[window.from] as number) + lowest.peak : written);
    if (lowest)
      orders.set(
        window,
        lowest.order.map((task) => positions[task] as number),
      );
  }
  const nodes = parts.flatMap(({ window, written }) => {
    const order = written > reachable ? orders.get(window) : undefined;
    return order ? withViews(state, window, order) : graph.nodes.slice(window.from, window.to);
  });
  if (nodes.every((node, i) => node === graph.nodes[i])) return graph;
  const ordered = { ...graph, nodes };
  return analyse(ordered, Number.POSITIVE_INFINITY).peak < state.peak ? ordered : graph;
}

const peakOf = ({ peaks }: State, { from, to }: Window): number => Math.max(...peaks.slice(from, to));

/** Equal layers have equal windows: each is ordered once. */
function remembering(): typeof lowestOrder {
  const known = new Map<string, ReturnType<typeof lowestOrder>>();
  return (tasks, dying) => {
    const key = JSON.stringify([tasks, dying]);
    const found = known.get(key) ?? lowestOrder(tasks, dying);
    known.set(key, found);
    return found;
  };
}

/** Positions `from ≤ p < to` of nodes that follow each other. */
interface Window {
  readonly from: number;
  readonly to: number;
}

/** Does a node run a kernel or allocate? The others are views: they take no memory, wherever they stand. */
const computes = ({ groups }: State, position: number): boolean =>
  (groups[position] ?? []).some(({ kind }) => kind === 'alloc' || kind === 'call' || kind === 'loop');

/**
 * Cuts the nodes where the fewest bytes are alive, at all such places at once, until every part is small. Equal layers are
 * cut at equal places, and so ordered alike.
 */
function windows(state: State): Window[] {
  const count = state.index.graph.nodes.length;
  const kernels = [0];
  for (let p = 0; p < count; p++) kernels.push((kernels[p] as number) + (computes(state, p) ? 1 : 0));
  const parts: Window[] = [];
  const cut = (from: number, to: number): void => {
    if ((kernels[to] as number) - (kernels[from] as number) <= WINDOW) {
      parts.push({ from, to });
      return;
    }
    let fewest = Number.POSITIVE_INFINITY;
    for (let p = from + 1; p < to; p++) fewest = Math.min(fewest, state.before[p] as number);
    let start = from;
    for (let p = from + 1; p < to; p++) {
      if (state.before[p] !== fewest) continue;
      cut(start, p);
      start = p;
    }
    cut(start, to);
  };
  cut(0, count);
  return parts;
}

function kernelsOf(state: State, { from, to }: Window): number[] {
  const positions: number[] = [];
  for (let p = from; p < to; p++) if (computes(state, p)) positions.push(p);
  return positions;
}

function tasksOf(state: State, { from, to }: Window, positions: readonly number[]): Task[] {
  const { index, groups, sizes, before, peaks } = state;
  const taskAt = new Map(positions.map((position, task) => [position, task]));
  /** The kernels of the window that a value is made by, through views. */
  const makers = (value: ValueId): number[] => {
    const position = index.definedAt.get(value) ?? -1;
    if (position < from || position >= to) return [];
    const task = taskAt.get(position);
    return task === undefined ? operandsOf(index.graph.nodes[position] as Node).flatMap(makers) : [task];
  };
  return positions.map((position) => {
    const steps = groups[position] as State['groups'][number];
    const gone = new Set(steps.flatMap((step) => (step.kind === 'free' ? [step.value] : [])));
    let keeps = 0;
    for (const step of steps)
      if (step.kind === 'alloc' && !gone.has(step.value)) keeps += sizes.get(step.value) as number;
    return {
      after: [...new Set(operandsOf(index.graph.nodes[position] as Node).flatMap(makers))],
      needs: (peaks[position] as number) - (before[position] as number),
      keeps,
    };
  });
}

/** The storages that die in a window after living through more than one node, and the kernels that see them. */
function dyingIn(state: State, { from, to }: Window, positions: readonly number[]): Dying[] {
  const { index, groups, places, sizes } = state;
  const users = new Map<ValueId, Set<number>>();
  positions.forEach((position, task) => {
    const node = index.graph.nodes[position] as Node;
    for (const id of [...operandsOf(node), ...definedBy(node).map((value) => value.id)]) {
      const storage = places.get(id)?.storage;
      if (storage === undefined) continue;
      users.set(storage, (users.get(storage) ?? new Set()).add(task));
    }
  });
  return groups.slice(from, to).flatMap((steps) => {
    const made = new Set(steps.flatMap((step) => (step.kind === 'alloc' ? [step.value] : [])));
    return steps.flatMap((step): Dying[] => {
      const seenBy = step.kind === 'free' && !made.has(step.value) ? users.get(step.value) : undefined;
      return step.kind === 'free' && seenBy
        ? [{ bytes: sizes.get(step.value) as number, seenBy: [...seenBy] }]
        : [];
    });
  });
}

/** The nodes of a window with its kernels in a given order; views stand before the first that reads them. */
function withViews({ index }: State, { from, to }: Window, kernels: readonly number[]): Node[] {
  const placed = new Set<number>();
  const result: Node[] = [];
  const place = (position: number): void => {
    if (position < from || position >= to || placed.has(position)) return;
    placed.add(position);
    const node = index.graph.nodes[position] as Node;
    for (const id of operandsOf(node)) place(index.definedAt.get(id) ?? -1);
    result.push(node);
  };
  for (const position of kernels) place(position);
  for (let position = from; position < to; position++) place(position);
  return result;
}
