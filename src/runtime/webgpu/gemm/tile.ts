/** How a workgroup divides its part of C. */
export interface Tile {
  /** Of C, made by one workgroup. */
  readonly rows: number;
  readonly columns: number;
  /** Of those, made by one thread. */
  readonly rowsEach: number;
  readonly columnsEach: number;
  /** Steps of k whose operands lie in workgroup memory at a time. */
  readonly depth: number;
  /** Multiply-adds in a given time, compared with those of the largest tile: reads from workgroup memory limit small ones. */
  readonly speed: number;
}

const tile = (
  rows: number,
  columns: number,
  rowsEach: number,
  columnsEach: number,
  depth: number,
  speed: number,
): Tile => ({ rows, columns, rowsEach, columnsEach, depth, speed });

/** Up to 256 threads and 16 KiB of workgroup memory, which every adapter has. */
export const TILES: readonly Tile[] = [
  tile(128, 64, 8, 4, 16, 1),
  tile(64, 64, 4, 4, 16, 0.8),
  tile(64, 32, 4, 4, 16, 0.8),
  tile(32, 64, 4, 4, 16, 0.8),
  tile(32, 32, 4, 4, 16, 0.75),
  tile(16, 64, 4, 4, 16, 0.75),
  tile(8, 64, 8, 1, 16, 0.45),
  tile(1, 64, 1, 1, 16, 0.15),
];

export const threadsOf = ({ rows, columns, rowsEach, columnsEach }: Tile): number =>
  (rows / rowsEach) * (columns / columnsEach);

/** Workgroups that an adapter runs side by side: fewer leave it idle. */
const AT_ONCE = 128;
/** What an element of A or B costs on its way into a tile, in multiply-adds. */
const TRANSFER = 8;

/** The position in {@link TILES} of the tile that is done first with a batch of products. Bits do not depend on it. */
export function chooseTile(rows: number, columns: number, batch: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TILES.length; i++) {
    const tile = TILES[i] as Tile;
    const groups = Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns) * batch;
    const each = (tile.rows * tile.columns) / tile.speed + TRANSFER * (tile.rows + tile.columns);
    const cost = Math.ceil(groups / AT_ONCE) * each;
    if (cost < least) {
      best = i;
      least = cost;
    }
  }
  return best;
}
