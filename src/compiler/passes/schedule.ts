/** A kernel to be ordered. All figures in bytes. */
export interface Task {
  /** Tasks that must run before it. */
  readonly after: readonly number[];
  /** Most bytes that it adds to what is alive, while it runs. */
  readonly needs: number;
  /** Bytes that it leaves alive, before anything dies. */
  readonly keeps: number;
}

/** Bytes that die with the last of some tasks. */
export interface Dying {
  readonly bytes: number;
  readonly seenBy: readonly number[];
}

/** Sets of tasks looked at before giving up: orders are a matter of milliseconds. */
const MOST_SETS = 20_000;

export interface Schedule {
  /** Peak of the tasks as written. */
  readonly writtenPeak: number;
  /** The order with the smallest peak, where that is smaller. */
  readonly lowest?: { readonly order: readonly number[]; readonly peak: number };
}

/**
 * The order of tasks with the smallest peak, tasks as early as they were written where the peak allows it. None where the
 * written order is as good, or the search takes too long.
 *
 * Best first over the sets of tasks that have run: what is alive depends on the set alone, not on the order within it. A
 * task that fits and leaves no more alive than before it is taken at once: whatever follows without it follows with it.
 */
export function lowestOrder(tasks: readonly Task[], dying: readonly Dying[]): Schedule {
  const sets = new Sets(tasks, dying);
  const writtenPeak = sets.peakOf(tasks.map((_, task) => task));
  const peak = tasks.length < 3 ? undefined : lowestPeak(sets, writtenPeak);
  const order = peak === undefined ? undefined : earliest(sets, peak);
  return peak === undefined || order === undefined
    ? { writtenPeak }
    : { writtenPeak, lowest: { order, peak } };
}

/** Sets of tasks as the bits of a number. */
class Sets {
  readonly all: number;
  readonly #tasks: readonly Task[];
  readonly #after: readonly number[];
  readonly #dying: readonly { readonly bytes: number; readonly seenBy: number }[];

  constructor(tasks: readonly Task[], dying: readonly Dying[]) {
    this.#tasks = tasks;
    this.#after = tasks.map(({ after }) => bits(after));
    this.#dying = dying.map(({ bytes, seenBy }) => ({ bytes, seenBy: bits(seenBy) }));
    this.all = 2 ** tasks.length - 1;
  }

  /** Tasks that can run next, in the written order. */
  ready(done: number): number[] {
    const found: number[] = [];
    this.#after.forEach((after, task) => {
      if ((done & (1 << task)) === 0 && (done & after) === after) found.push(task);
    });
    return found;
  }

  needs(task: number): number {
    return (this.#tasks[task] as Task).needs;
  }

  /** By how much the live bytes change when a task runs after a set of others. */
  change(done: number, task: number): number {
    const bit = 1 << task;
    let change = (this.#tasks[task] as Task).keeps;
    for (const { bytes, seenBy } of this.#dying) {
      if ((seenBy & bit) !== 0 && (seenBy & ~(done | bit)) === 0) change -= bytes;
    }
    return change;
  }

  peakOf(order: readonly number[]): number {
    let live = 0;
    let done = 0;
    let peak = 0;
    for (const task of order) {
      peak = Math.max(peak, live + this.needs(task));
      live += this.change(done, task);
      done |= 1 << task;
    }
    return peak;
  }
}

const bits = (tasks: readonly number[]): number => tasks.reduce((set, task) => set | (1 << task), 0);

interface Reached {
  readonly done: number;
  readonly live: number;
}

/** The smallest peak of any order, if it is below `limit`. */
function lowestPeak(sets: Sets, limit: number): number | undefined {
  let peak = 0;
  const seen = new Set<number>([0]);
  let open: Reached[] = [{ done: 0, live: 0 }];
  let later: (Reached & { readonly peak: number })[] = [];
  while (peak < limit && seen.size <= MOST_SETS) {
    for (let at = open.pop(); at; at = open.pop()) {
      const { done, live } = at;
      if (done === sets.all) return peak;
      const ready = sets.ready(done);
      const free = ready.find((task) => live + sets.needs(task) <= peak && sets.change(done, task) <= 0);
      for (const task of free === undefined ? ready : [free]) {
        const next = { done: done | (1 << task), live: live + sets.change(done, task) };
        const needed = live + sets.needs(task);
        if (needed > peak) later.push({ ...next, peak: needed });
        else if (!seen.has(next.done)) {
          seen.add(next.done);
          open.push(next);
        }
      }
    }
    later = later.filter(({ done }) => !seen.has(done));
    if (later.length === 0) return undefined;
    peak = later.reduce((least, { peak: needed }) => Math.min(least, needed), Number.POSITIVE_INFINITY);
    open = [];
    for (const reached of later) {
      if (reached.peak > peak || seen.has(reached.done)) continue;
      seen.add(reached.done);
      open.push(reached);
    }
  }
  return undefined;
}

/** Of the orders within a peak the one that takes tasks as they were written, the first difference deciding. */
function earliest(sets: Sets, peak: number): number[] | undefined {
  const order: number[] = [];
  const hopeless = new Set<number>();
  const complete = (done: number, live: number): boolean => {
    if (done === sets.all) return true;
    if (hopeless.has(done)) return false;
    for (const task of sets.ready(done)) {
      if (live + sets.needs(task) > peak) continue;
      const change = sets.change(done, task);
      order.push(task);
      if (complete(done | (1 << task), live + change)) return true;
      order.pop();
      if (change <= 0 || hopeless.size > MOST_SETS) break;
    }
    hopeless.add(done);
    return false;
  };
  return complete(0, 0) ? order : undefined;
}
