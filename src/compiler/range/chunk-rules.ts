import { invariant } from '../../errors.ts';
import {
  addDims,
  type Bindings,
  type Dim,
  dimNames,
  evalDim,
  mulDims,
  substituteDim,
} from '../../ir/dims.ts';
import type { LoopNode } from '../../ir/node.ts';
import type { Program, Step } from '../../ir/program.ts';
import type { ChunkRule, Room } from '../../ir/range-plan.ts';
import { fitChunk } from '../../layout/chunks.ts';
import { type LiveBytes, liveBytes } from '../memory/live-bytes.ts';
import { dominates, type Interval, linearIn, maximum } from './polynomial.ts';

/** Bytes that may be alive at once, and in one storage. */
export interface Limits {
  readonly budget: number;
  readonly cap: number | undefined;
}

export interface RuleOptions {
  readonly interval: Interval;
  readonly limits: Limits;
  /** The chunk sizes of the plan that the loops come from, by their names in the program. */
  readonly planned: Bindings;
}

/** Rules for the chunk sizes of a program, and the program with the rules' names in place of its own. */
export interface RuledProgram {
  readonly program: Program;
  readonly rules: readonly ChunkRule[];
  /** Names of the rules by the names of chunk sizes in the program that was given. */
  readonly ruleOf: ReadonlyMap<string, string>;
  /** The peak is the largest of these. */
  readonly peaks: readonly Dim[];
}

/**
 * How the chunk sizes of a program follow from the size of its dimension: from the outermost loop inwards, each takes the
 * room that those before it leave. For a loop with others inside, these count as large as planned; they are then fitted into what is left.
 * Loops with the same rule share it.
 */
export function chunkRules(program: Program, options: RuleOptions): RuledProgram {
  const maker = new RuleMaker(program, options);
  maker.visit(program.steps, []);
  return maker.result();
}

/** What is alive with chunks of one unit: what the chunk rules cannot go below. Bytes as dimensions of the size. */
export class LeastBytes {
  readonly #peaks: readonly Dim[];
  readonly #storages: readonly Dim[];

  constructor(program: Program, { name, from }: Interval) {
    const ones = Object.fromEntries(chunkNames(program.steps).map((chunk) => [chunk, 1]));
    const points = liveBytes(program);
    const largest = (dims: readonly Dim[]): Dim[] =>
      undominated(
        dims.map((dim) => substituteDim(dim, ones)),
        { [name]: from },
      );
    this.#peaks = largest(points.map(({ bytes }) => bytes));
    this.#storages = largest(points.map(({ storage = 0 }) => storage));
  }

  /** The most bytes alive at once at any size in an interval. */
  peakBytes(interval: Interval): number {
    return Math.max(...this.#peaks.map((dim) => maximum(dim, interval)));
  }

  /** The largest storage at any size in an interval. */
  storageBytes(interval: Interval): number {
    return Math.max(...this.#storages.map((dim) => maximum(dim, interval)));
  }
}

/** The values of the chunk sizes at one size of the dimension, as the generated module computes them. */
export function chunkSizes(rules: readonly ChunkRule[], limits: Limits, bindings: Bindings): Bindings {
  const sizes: Record<string, number> = { ...bindings };
  for (const { name, extent, rooms } of rules) {
    const fits = rooms.map(({ limit, fixed, each }) => {
      const bytes = limit === 'budget' ? limits.budget : (limits.cap as number);
      return (bytes - evalDim(fixed, sizes)) / evalDim(each, sizes);
    });
    sizes[name] = fitChunk(evalDim(extent, sizes), Math.min(...fits));
  }
  return sizes;
}

class RuleMaker {
  readonly #options: RuleOptions;
  readonly #program: Program;
  readonly #points: readonly LiveBytes[];
  readonly #rules = new Map<string, { rule: ChunkRule; loops: string[] }>();
  readonly #ruleOf = new Map<string, string>();
  /** The most that every chunk size can be. */
  readonly #extents: Record<string, Dim> = {};

  constructor(program: Program, options: RuleOptions) {
    this.#options = options;
    this.#program = program;
    this.#points = liveBytes(program);
  }

  visit(steps: readonly Step[], around: readonly LoopNode[]): void {
    for (const step of steps) {
      if (step.kind !== 'loop') continue;
      this.#rule(step.loop, around);
      this.visit(step.steps, [...around, step.loop]);
    }
  }

  #rule(loop: LoopNode, around: readonly LoopNode[]): void {
    const own = loop.chunkSize as string;
    const rooms = undominatedRooms(this.#rooms(loop, around), this.#least(around));
    const key = JSON.stringify([loop.extent, rooms]);
    const known = this.#rules.get(key);
    if (known) known.loops.push(loop.id);
    const name = known?.rule.name ?? `chunk${this.#rules.size + 1}`;
    if (!known) {
      const loops = [loop.id];
      this.#rules.set(key, { rule: { name, extent: loop.extent, rooms, loops }, loops });
    }
    this.#ruleOf.set(own, name);
    this.#extents[name] = loop.extent;
  }

  /** What the bytes alive in a loop, and its storages, leave for its chunks. */
  #rooms(loop: LoopNode, around: readonly LoopNode[]): Room[] {
    const { limits, planned } = this.#options;
    const own = loop.chunkSize as string;
    const known = new Map(
      around.map(({ chunkSize }) => [chunkSize as string, this.#ruleOf.get(chunkSize as string)]),
    );
    const rooms: Room[] = [];
    const add = (limit: Room['limit'], bytes: number, dim: Dim): void => {
      // Chunks of loops inside count as large as planned, those of loops around have their rule's name.
      const replaced = Object.fromEntries(
        dimNames(dim).flatMap((name): [string, Dim][] =>
          known.has(name)
            ? [[name, known.get(name) as string]]
            : name !== own && planned[name] !== undefined
              ? [[name, planned[name]]]
              : [],
        ),
      );
      const parts = linearIn(substituteDim(dim, replaced), own);
      invariant(parts, () => `bytes alive in ${loop.id} are not linear in its chunk size: ${dim}`);
      if (parts.each !== 0 && !this.#alwaysFits(parts, loop.extent, bytes)) rooms.push({ limit, ...parts });
    };
    for (const { bytes, storage, loops } of this.#points) {
      if (!loops.includes(loop)) continue;
      add('budget', limits.budget, bytes);
      if (limits.cap !== undefined && storage !== undefined) add('cap', limits.cap, storage);
    }
    return rooms;
  }

  /** Does the whole extent fit at every size, whatever the chunks of the loops around are? */
  #alwaysFits({ fixed, each }: { fixed: Dim; each: Dim }, extent: Dim, bytes: number): boolean {
    const whole = (dim: Dim): Dim => substituteDim(dim, this.#extents);
    const { interval } = this.#options;
    return maximum(whole(addProduct(fixed, each, extent)), interval) <= bytes;
  }

  /** The smallest values of the names that the rooms of a loop may have. */
  #least(around: readonly LoopNode[]): Bindings {
    const { name, from } = this.#options.interval;
    const chunks = around.map(({ chunkSize }) => [this.#ruleOf.get(chunkSize as string) as string, 1]);
    return { [name]: from, ...Object.fromEntries(chunks) };
  }

  result(): RuledProgram {
    const { interval } = this.#options;
    const rename = Object.fromEntries(this.#ruleOf);
    const rules = [...this.#rules.values()].map(({ rule, loops }) => ({ ...rule, loops }));
    const least = {
      [interval.name]: interval.from,
      ...Object.fromEntries(rules.map(({ name }) => [name, 1])),
    };
    return {
      program: { ...this.#program, steps: renameChunks(this.#program.steps, rename) },
      rules,
      ruleOf: this.#ruleOf,
      peaks: undominated(
        this.#points.map(({ bytes }) => substituteDim(bytes, rename)),
        least,
      ),
    };
  }
}

const addProduct = (fixed: Dim, each: Dim, extent: Dim): Dim => addDims(fixed, mulDims(each, extent));

/** Those that no other is at least as large as, wherever the names are at least their lower bounds. */
function undominated(dims: readonly Dim[], least: Bindings): Dim[] {
  return maximal(dims, (a, b) => dominates(a, b, least));
}

const undominatedRooms = (rooms: readonly Room[], least: Bindings): Room[] =>
  maximal(
    rooms,
    (a, b) => a.limit === b.limit && dominates(a.fixed, b.fixed, least) && dominates(a.each, b.each, least),
  );

function maximal<T>(items: readonly T[], covers: (a: T, b: T) => boolean): T[] {
  let kept: T[] = [];
  for (const item of new Map(items.map((item) => [JSON.stringify(item), item])).values()) {
    if (kept.some((other) => covers(other, item))) continue;
    kept = [...kept.filter((other) => !covers(item, other)), item];
  }
  return kept;
}

const chunkNames = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) =>
    step.kind === 'loop' ? [String(step.loop.chunkSize), ...chunkNames(step.steps)] : [],
  );

const renameChunks = (steps: readonly Step[], names: Readonly<Record<string, string>>): Step[] =>
  steps.map((step): Step => {
    if (step.kind !== 'loop') return step;
    const chunkSize = substituteDim(step.loop.chunkSize, names);
    return { ...step, loop: { ...step.loop, chunkSize }, steps: renameChunks(step.steps, names) };
  });
