import type { Code, Int, Local } from '../assembler/code.ts';
import { count, f32, i32, increase, set, when } from '../assembler/instructions.ts';
import type { NewLocal, WasmFunction, WasmModule } from '../assembler/module.ts';
import { defineMicroKernel, LANE_BYTES, TILE, TILE_ROW_BYTES } from './micro-kernel.ts';
import type { Parameter } from './parameters.ts';

const FLOAT = 4;
/** Bytes of a workspace that a tile may pass through. */
export const SPARE_TILE_BYTES = TILE.rows * TILE_ROW_BYTES;

/** `(a, b, k, fresh, bias, biasRow, c, rows, columns, inLine, spare)`: the first column is `inLine` of its line of C. */
export type Tile = WasmFunction<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']
>;

/**
 * One tile of C from packed panels, see {@link MicroKernel}. Where C has fewer columns left than a tile, or they do not lie
 * next to each other, the tile is made in `spare` and its elements are copied.
 */
export function defineTile(module: WasmModule, fused: boolean, of: Parameter): Tile {
  const kernels = Array.from({ length: TILE.rows }, (_, i) => defineMicroKernel(module, i + 1, fused));
  return module.define(
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (local, a, b, k, fresh, bias, biasRow, c, rows, columns, inLine, spare) => {
      const compute = (to: Local<'i32'>, row: Int): Code =>
        kernels.map((kernel, i) =>
          when(i32.eq(rows, i + 1), kernel.call(a, b, k, to, row, LANE_BYTES, fresh, bias, biasRow)),
        );
      const copy = (each: (inC: Local<'i32'>, inSpare: Local<'i32'>) => Code): Code =>
        forEachElement(local, of, { c, rows, columns, inLine, spare }, each);
      const inOneLine = i32.or(i32.eq(of('cGap'), 0), i32.le(i32.add(inLine, TILE.columns), of('cLine')));
      return when(
        i32.and(i32.and(i32.eq(columns, TILE.columns), i32.eq(of('cColumn'), FLOAT)), inOneLine),
        compute(c, of('cRow')),
        [
          when(
            fresh,
            [],
            copy((inC, inSpare) => f32.store(inSpare, f32.load(inC))),
          ),
          compute(spare, TILE_ROW_BYTES),
          copy((inC, inSpare) => f32.store(inC, f32.load(inSpare))),
        ],
      );
    },
  );
}

function forEachElement(
  local: NewLocal,
  of: Parameter,
  tile: Readonly<Record<'c' | 'rows' | 'columns' | 'inLine' | 'spare', Local<'i32'>>>,
  each: (inC: Local<'i32'>, inSpare: Local<'i32'>) => Code,
): Code {
  const [rowOfC, rowOfSpare] = [local('i32'), local('i32')];
  const [inC, inSpare, inLine] = [local('i32'), local('i32'), local('i32')];
  return [
    set(rowOfC, tile.c),
    set(rowOfSpare, tile.spare),
    count(local('i32'), 0, tile.rows, 1, [
      set(inC, rowOfC),
      set(inSpare, rowOfSpare),
      set(inLine, tile.inLine),
      count(local('i32'), 0, tile.columns, 1, [
        each(inC, inSpare),
        increase(inC, of('cColumn')),
        increase(inSpare, FLOAT),
        increase(inLine, 1),
        when(i32.eq(inLine, of('cLine')), [set(inLine, 0), increase(inC, of('cGap'))]),
      ]),
      increase(rowOfC, of('cRow')),
      increase(rowOfSpare, TILE_ROW_BYTES),
    ]),
  ];
}
