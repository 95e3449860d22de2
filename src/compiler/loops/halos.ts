import type { Dim } from '../../ir/dims.ts';
import { bordersOf, type Span } from '../../ir/flow.ts';
import { longestHalo } from '../../ir/loop.ts';
import type { LoopHalo } from '../../ir/node.ts';
import { times } from '../graph/attrs.ts';

/** Elements of an axis that an iteration of a loop covers; `halo` names them where they are not whole units. */
export interface Range {
  readonly start: Dim;
  readonly length: Dim;
  readonly halo?: string;
}

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

interface HaloNames {
  readonly start: string;
  readonly length: string;
  readonly fresh: (wish: string) => string;
}

/** The ranges that the body of one loop speaks of: each is named once. */
export class Halos {
  readonly all: LoopHalo[] = [];
  readonly #extent: number;
  readonly #chunkSize: number;
  readonly #names: HaloNames;
  readonly #sketched: boolean;
  readonly #ranges = new Map<string, Range>();

  /** `sketched`: ranges are those of a full iteration, in numbers. */
  constructor(extent: number, chunkSize: number, names: HaloNames, sketched: boolean) {
    this.#extent = extent;
    this.#chunkSize = chunkSize;
    this.#names = names;
    this.#sketched = sketched;
  }

  get names(): string[] {
    return this.all.flatMap(({ start, length }) => [start, length]);
  }

  /** What an iteration covers of an axis of `elements`. */
  range(span: Span, elements: Dim): Range {
    const { multiple } = span;
    const { before, after } = bordersOf(span);
    const beyond = typeof elements === 'number' && multiple * this.#extent > elements;
    if (before === 0 && after === 0 && !beyond) {
      if (this.#sketched) return { start: 0, length: multiple * this.#chunkSize };
      return { start: times(multiple, this.#names.start), length: times(multiple, this.#names.length) };
    }
    // A range of whole groups of elements speaks of the groups: merged axes have the ranges of those they merge.
    const group = typeof elements === 'number' ? [before, after, elements].reduce(gcd, multiple) : 1;
    const [steps, ...borders] = [multiple, before, after].map((n) => n / group) as [number, number, number];
    const extent = typeof elements === 'number' ? elements / group : elements;
    const key = `${steps} ${borders} ${extent}`;
    let range = this.#ranges.get(key);
    if (!range) {
      range = this.#add({ multiple: steps, before: borders[0], after: borders[1], extent });
      this.#ranges.set(key, range);
    }
    return { ...range, start: times(group, range.start), length: times(group, range.length) };
  }

  #add(halo: Omit<LoopHalo, 'start' | 'length'>): Range {
    const { fresh, length: unit } = this.#names;
    const [start, length] = this.#sketched
      ? [`sketch_from${this.all.length}`, `sketch_with${this.all.length}`]
      : [fresh(`${unit}_from`), fresh(`${unit}_with`)];
    this.all.push({ start, length, ...halo });
    if (!this.#sketched) return { start, length, halo: start };
    return { start: 0, length: longestHalo(halo, this.#extent, this.#chunkSize), halo: start };
  }
}
