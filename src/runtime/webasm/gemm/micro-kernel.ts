import type { Code, Int, Local, Value } from '../assembler/code.ts';
import { f32x4, i32, increase, repeatWhile, set, v128, when } from '../assembler/instructions.ts';
import type { WasmFunction, WasmModule } from '../assembler/module.ts';

/** Rows and columns of a tile: with one vector of either operand, its eight sums stay in registers. */
export const TILE = { rows: 4, columns: 8 } as const;
/** Bytes from one row of a packed tile, or one step of k in a packed panel of columns, to the next. */
export const TILE_ROW_BYTES = TILE.columns * 4;
/** Bytes of one step of k in a packed panel of rows. */
export const ROW_PANEL_STEP = TILE.rows * 4;

/** Bytes of a vector. */
export const LANE_BYTES = 16;
const VECTORS = TILE_ROW_BYTES / LANE_BYTES;

/**
 * `(a, b, k, c, cRow, cVector, fresh, bias, biasRow)`, addresses and steps in bytes: adds to a tile of C, or to zeros where
 * `fresh`, the products of `k` steps of a packed panel of rows and one of columns, in order; then adds the tile at `bias`,
 * where that is not 0. The two vectors of a row of C are `cVector` apart.
 */
export type MicroKernel = WasmFunction<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']
>;

/** What an element of A is: one float for all lanes of a vector of B, or a vector, multiplied lane by lane. */
export type ElementsOfA = 'floats' | 'vectors';

/**
 * The kernel for the first `rows` rows of a tile. Every sum goes over k one product after another, whatever the rows: an
 * element has the same bits in any tile. `fused` multiplies and adds in one instruction.
 */
export function defineMicroKernel(
  module: WasmModule,
  rows: number,
  fused: boolean,
  elements: ElementsOfA = 'floats',
): MicroKernel {
  const bytesOfA = elements === 'floats' ? 4 : LANE_BYTES;
  return module.define(
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (local, a, b, k, c, cRow, cVector, fresh, bias, biasRow) => {
      const sums = Array.from({ length: rows * VECTORS }, () => local('v128'));
      const right = Array.from({ length: VECTORS }, () => local('v128'));
      const left = local('v128');
      /** For every vector of the tile, with `row` on its way down from `first`. */
      const walk = (
        first: Local<'i32'>,
        step: Local<'i32'>,
        between: Int,
        visit: (sum: Local<'v128'>, at: Value<'i32'>) => Code,
      ): Code => {
        const row = local('i32');
        return [
          set(row, first),
          sums.map((sum, i) => [
            i > 0 && i % VECTORS === 0 ? increase(row, step) : [],
            visit(sum, i % VECTORS === 0 ? row : i32.add(row, between)),
          ]),
        ];
      };
      const accumulate = (sum: Value<'v128'>, x: Value<'v128'>, y: Value<'v128'>): Value<'v128'> =>
        fused ? f32x4.relaxedMadd(x, y, sum) : f32x4.add(sum, f32x4.mul(x, y));
      return [
        when(
          fresh,
          sums.map((sum) => set(sum, v128.zero)),
          walk(c, cRow, cVector, (sum, at) => set(sum, v128.load(at))),
        ),
        when(
          k,
          repeatWhile(k, [
            right.map((vector, v) => set(vector, v128.load(b, v * LANE_BYTES))),
            Array.from({ length: rows }, (_, r) => [
              set(left, elements === 'floats' ? v128.loadSplat(a, r * 4) : v128.load(a, r * LANE_BYTES)),
              right.map((vector, v) => {
                const sum = sums[r * VECTORS + v] as Local<'v128'>;
                return set(sum, accumulate(sum, left, vector));
              }),
            ]),
            increase(a, TILE.rows * bytesOfA),
            increase(b, TILE_ROW_BYTES),
            increase(k, -1),
          ]),
        ),
        when(
          bias,
          walk(bias, biasRow, LANE_BYTES, (sum, at) => set(sum, f32x4.add(sum, v128.load(at)))),
        ),
        walk(c, cRow, cVector, (sum, at) => v128.store(at, sum)),
      ];
    },
  );
}
