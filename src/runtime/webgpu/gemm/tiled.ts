import { BUFFERS, RESULT } from './operands.ts';
import { DECLARATION } from './parameters.ts';
import { type Tile, threadsOf } from './tile.ts';

/** The axis of an operand along which neighbouring threads read: where its elements lie closest. */
export type Along = 'k' | 'other';

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const lines = (parts: readonly string[], indent: number): string =>
  parts.join('\n').replace(/^(?=.)/gm, ' '.repeat(indent));

/** An operand's way into workgroup memory, as [step of k][group of rows or columns]; a group is a vector. */
class Staged {
  readonly #name: 'a' | 'b';
  readonly #along: Along;
  readonly #tile: Tile;
  /** Rows or columns in a group. */
  readonly width: number;
  /** Groups of a step. */
  readonly #groups: number;
  readonly type: string;

  constructor(name: 'a' | 'b', along: Along, tile: Tile) {
    this.#name = name;
    this.#along = along;
    this.#tile = tile;
    const each = name === 'a' ? tile.rowsEach : tile.columnsEach;
    this.width = Math.min(4, each);
    this.#groups = (name === 'a' ? tile.rows : tile.columns) / this.width;
    this.type = this.width === 1 ? 'f32' : `vec${this.width}f`;
  }

  get array(): string {
    return `${this.#name}Tile`;
  }

  /** A group more in each step than there are: threads that walk along k then meet different banks of memory. */
  get #pitch(): number {
    return this.#groups + 1;
  }

  get declaration(): string {
    return `var<workgroup> ${this.array} : array<${this.type}, ${this.#tile.depth * this.#pitch}>;`;
  }

  /** Where in the array a group is. */
  at(step: string, group: string): string {
    return `${this.array}[${step} * ${this.#pitch} + ${group}]`;
  }

  /** Before the loop over k: which groups a thread brings, and where their rows or columns are. */
  get places(): string[] {
    const [first, last] = this.#name === 'a' ? ['firstRow', 'p.rows - 1'] : ['firstColumn', 'p.columns - 1'];
    const { depth } = this.#tile;
    return this.#turns.flatMap((turn) => {
      const item = turn === 0 ? 'thread' : `(thread + ${turn * this.#threads})`;
      const [step, group] =
        this.#along === 'k'
          ? [`${item} % ${depth}`, `${item} / ${depth}`]
          : [`${item} / ${this.#groups}`, `${item} % ${this.#groups}`];
      const own = `let ${this.#name}Step${turn} = ${step};`;
      if (turn > 0 && this.#oneGroup) return [own];
      return [
        own,
        `let ${this.#name}Group${turn} = ${group};`,
        // Rows and columns beyond the last are read as the last, and not written.
        ...range(this.width).map((i) => {
          const at = `${first} + ${this.#name}Group${turn} * ${this.width} + ${i}`;
          return `let ${this.#name}Place${turn}${i} = ${this.#name}Place(z, min(${at}, ${last}));`;
        }),
      ];
    });
  }

  /** In the loop over k: brings the groups of the steps from `first` on. Steps beyond the last are read as the last, and not used. */
  get transfer(): string[] {
    return this.#turns.map((turn) => {
      const place = this.#oneGroup ? 0 : turn;
      const [step, group] = [`${this.#name}Step${turn}`, `${this.#name}Group${place}`];
      const values = range(this.width).map((i) => `${this.#name}At(${this.#name}Place${place}${i}, at)`);
      const left = this.#items - turn * this.#threads;
      return [
        // The last turn may have fewer groups than there are threads.
        left < this.#threads ? `if (thread < ${left}) {` : '{',
        `  let at = ${this.#name}Step(min(first + ${step}, p.k - 1));`,
        `  ${this.at(step, group)} = ${this.width === 1 ? values[0] : `${this.type}(${values.join(', ')})`};`,
        '}',
      ].join('\n');
    });
  }

  /** Whether a thread brings steps of one group only. */
  get #oneGroup(): boolean {
    return this.#along === 'other' && this.#threads % this.#groups === 0;
  }

  get #threads(): number {
    return threadsOf(this.#tile);
  }

  get #items(): number {
    return this.#tile.depth * this.#groups;
  }

  get #turns(): number[] {
    return range(Math.ceil(this.#items / this.#threads));
  }
}

/**
 * A batch of products: a workgroup brings tiles of A and B into its memory, `depth` steps of k at a time, and every thread adds
 * up a block of C in registers. An element is one chain of fused multiply-adds in order of k, whatever the tile, so all tiles
 * make the same bits, and no part of C depends on what else is computed. Tiles are computed for the terms that their last row sees,
 * and not at all where it sees no column of theirs.
 */
export function tiledShader(tile: Tile, operands: string, aAlong: Along, bAlong: Along): string {
  const [a, b] = [new Staged('a', aAlong, tile), new Staged('b', bAlong, tile)];
  const rows = range(tile.rowsEach);
  const columnGroups = range(tile.columnsEach / b.width);
  const across = tile.columns / tile.columnsEach;
  const component = (i: number): string => (b.width === 1 ? '' : `.${'xyzw'[i]}`);
  const eachSum = (make: (sum: string, row: number, column: number, part: string) => string): string[] =>
    rows.flatMap((i) =>
      columnGroups.flatMap((j) =>
        range(b.width).map((l) => make(`sum${i}${j}`, i, j * b.width + l, component(l))),
      ),
    );
  const partOfA = (row: number): string => {
    const vector = `left${Math.floor(row / a.width)}`;
    return a.width === 1 ? vector : `${vector}.${'xyzw'[row % a.width]}`;
  };
  const step = [
    ...range(tile.rowsEach / a.width).map(
      (i) => `let left${i} = ${a.at('step', `down * ${tile.rowsEach / a.width} + ${i}`)};`,
    ),
    ...columnGroups.map((j) => `let right${j} = ${b.at('step', `across * ${columnGroups.length} + ${j}`)};`),
    ...rows.flatMap((i) =>
      columnGroups.map((j) => `sum${i}${j} = fma(${b.type}(${partOfA(i)}), right${j}, sum${i}${j});`),
    ),
  ];
  return `${DECLARATION}
${BUFFERS}${operands}${RESULT}
${a.declaration}
${b.declaration}

@compute @workgroup_size(${threadsOf(tile)})
fn main(@builtin(workgroup_id) group : vec3u, @builtin(local_invocation_index) index : u32) {
  let thread = i32(index);
  let z = p.firstZ + i32(group.z);
  let firstRow = (p.firstY + i32(group.y)) * ${tile.rows};
  let firstColumn = (p.firstX + i32(group.x)) * ${tile.columns};
  let lastRow = min(firstRow + ${tile.rows}, p.rows) - 1;
  if (firstColumn >= p.columnsSeen + lastRow) { return; }
  let terms = min(p.k, p.termsSeen + lastRow);
  let down = thread / ${across};
  let across = thread % ${across};
  let ownRow = firstRow + down * ${tile.rowsEach};
  let ownColumn = firstColumn + across * ${tile.columnsEach};
${lines([...a.places, ...b.places], 2)}
${lines(
  rows.flatMap((i) => columnGroups.map((j) => `var sum${i}${j} : ${b.type};`)),
  2,
)}
  if (p.accumulate != 0) {
${lines(
  eachSum((sum, row, column, part) => `${sum}${part} = begin(z, ownRow + ${row}, ownColumn + ${column});`),
  4,
)}
  }
  for (var first = 0; first < terms; first += ${tile.depth}) {
${lines([...a.transfer, ...b.transfer], 4)}
    workgroupBarrier();
    if (first + ${tile.depth} <= terms) {
      for (var step = 0; step < ${tile.depth}; step++) {
${lines(step, 8)}
      }
    } else {
      for (var step = 0; step < terms - first; step++) {
${lines(step, 8)}
      }
    }
    workgroupBarrier();
  }
${lines(
  eachSum((sum, row, column, part) => `end(z, ownRow + ${row}, ownColumn + ${column}, ${sum}${part});`),
  2,
)}
}
`;
}
