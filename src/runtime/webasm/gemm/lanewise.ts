import { invariant } from '../../../errors.ts';
import type { Code, Int, Local } from '../assembler/code.ts';
import { count, i32, increase, repeatWhile, set, v128, when } from '../assembler/instructions.ts';
import { WasmModule } from '../assembler/module.ts';
import { defineMicroKernel, LANE_BYTES, TILE } from './micro-kernel.ts';
import { defineRun, type ModuleOptions, type Task, WORKSPACE_BYTES } from './module.ts';
import { type Parameter, parametersAt } from './parameters.ts';
import { SPARE_TILE_BYTES } from './tile.ts';

const FLOAT = 4;
const LANES = LANE_BYTES / FLOAT;

/** Columns of a tile, of one vector each. */
const TILE_COLUMNS = TILE.columns / LANES;

/** As many bytes as the blocks of other products, see `module.ts`. */
const BLOCK = { rows: 16, columns: 64, k: 256 } as const;

const ROWS_AT = SPARE_TILE_BYTES;
const COLUMNS_AT = ROWS_AT + BLOCK.rows * BLOCK.k * LANE_BYTES;

/**
 * The module of `C[row][column][lane] = Σₖ A[row][k][lane] · B[column][k][lane]`, lanes next to each other and at least four: what
 * a matrix product over the lanes would gather element by element, this one reads as vectors. A batch is four lanes; the last one
 * starts early where four do not divide them, and computes some again, with the same bits. See `productModule` for the rest.
 */
export function lanewiseModule({ block, fused, ...memory }: ModuleOptions): Uint8Array<ArrayBuffer> {
  invariant(
    COLUMNS_AT + BLOCK.columns * BLOCK.k * LANE_BYTES <= WORKSPACE_BYTES,
    'lanewise blocks do not fit a workspace',
  );
  const module = new WasmModule();
  const of = parametersAt(block);
  defineRun(module, of, defineTask(module, of, fused));
  return module.bytes(memory);
}

function defineTask(module: WasmModule, of: Parameter, fused: boolean): Task {
  const tile = defineTile(module, of, fused);
  const packRows = definePack(module, TILE.rows);
  const packColumns = definePack(module, TILE_COLUMNS);
  return module.define(
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (local, batch, firstRow, endRow, firstColumn, endColumn, workspace) => {
      const [lane, row, rows, column] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const [columns, k, depth, inRows] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const inColumns = local('i32');
      const packedRows = i32.add(workspace, ROWS_AT);
      const packedColumns = i32.add(workspace, COLUMNS_AT);
      const panel = (of: Local<'i32'>): Int => i32.mul(of, i32.mul(depth, LANE_BYTES));
      const at = (base: Int, ...steps: readonly Int[]): Int => i32.add(base, lane, ...steps);

      const tiles = count(inColumns, 0, columns, TILE_COLUMNS, [
        count(inRows, 0, rows, TILE.rows, [
          tile.call(
            i32.add(packedRows, panel(inRows)),
            i32.add(packedColumns, panel(inColumns)),
            depth,
            i32.eq(k, 0),
            at(
              of('c'),
              i32.mul(i32.add(row, inRows), of('cRow')),
              i32.mul(i32.add(column, inColumns), of('cColumn')),
            ),
            i32.min(TILE.rows, i32.sub(rows, inRows)),
            i32.min(TILE_COLUMNS, i32.sub(columns, inColumns)),
            workspace,
          ),
        ]),
      ]);
      const blockOfRows: Code = [
        set(rows, i32.min(BLOCK.rows, i32.sub(endRow, row))),
        packRows.call(
          packedRows,
          at(of('a'), i32.mul(row, of('aRow')), i32.mul(k, of('aK'))),
          rows,
          depth,
          of('aRow'),
          of('aK'),
        ),
        tiles,
      ];
      const blockOfK: Code = [
        set(depth, i32.min(BLOCK.k, i32.sub(of('k'), k))),
        packColumns.call(
          packedColumns,
          at(of('b'), i32.mul(column, of('bColumn')), i32.mul(k, of('bK'))),
          columns,
          depth,
          of('bColumn'),
          of('bK'),
        ),
        count(row, firstRow, endRow, BLOCK.rows, blockOfRows),
        increase(k, depth),
      ];
      return [
        set(lane, i32.mul(i32.min(i32.mul(batch, LANES), i32.sub(of('lanes'), LANES)), FLOAT)),
        count(column, firstColumn, endColumn, BLOCK.columns, [
          set(columns, i32.min(BLOCK.columns, i32.sub(endColumn, column))),
          set(k, 0),
          // Once where there is nothing to sum, too: that gives zeros.
          repeatWhile(i32.lt(k, of('k')), blockOfK),
        ]),
      ];
    },
  );
}

/** `(a, b, k, fresh, c, rows, columns, spare)`: one tile, by way of `spare` where C has one column left. */
function defineTile(module: WasmModule, of: Parameter, fused: boolean) {
  const kernels = Array.from({ length: TILE.rows }, (_, i) =>
    defineMicroKernel(module, i + 1, fused, 'vectors'),
  );
  return module.define(
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (local, a, b, k, fresh, c, rows, columns, spare) => {
      const compute = (to: Local<'i32'>, row: Int, vector: Int): Code =>
        kernels.map((kernel, i) =>
          when(i32.eq(rows, i + 1), kernel.call(a, b, k, to, row, vector, fresh, 0, 0)),
        );
      const [inC, inSpare] = [local('i32'), local('i32')];
      const copyColumn = (each: () => Code): Code => [
        set(inC, c),
        set(inSpare, spare),
        count(local('i32'), 0, rows, 1, [
          each(),
          increase(inC, of('cRow')),
          increase(inSpare, TILE_COLUMNS * LANE_BYTES),
        ]),
      ];
      return when(i32.eq(columns, TILE_COLUMNS), compute(c, of('cRow'), of('cColumn')), [
        when(
          fresh,
          [],
          copyColumn(() => v128.store(inSpare, v128.load(inC))),
        ),
        compute(spare, TILE_COLUMNS * LANE_BYTES, LANE_BYTES),
        copyColumn(() => v128.store(inC, v128.load(inSpare))),
      ]);
    },
  );
}

/** `(to, from, elements, k, stride, kStride)`: vectors in panels of `width`; those that fill up the last one are zero. */
function definePack(module: WasmModule, width: number) {
  return module.define(
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (local, to, from, elements, k, stride, kStride) => {
      const [first, inPanel, source, here] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const positions = Array.from({ length: width }, (_, i) => i);
      return count(first, 0, elements, width, [
        set(here, i32.min(width, i32.sub(elements, first))),
        set(inPanel, from),
        count(local('i32'), 0, k, 1, [
          set(source, inPanel),
          positions.map((i) => [
            v128.store(to, v128.zero, i * LANE_BYTES),
            when(i32.lt(i, here), v128.store(to, v128.load(source), i * LANE_BYTES)),
            increase(source, stride),
          ]),
          increase(to, width * LANE_BYTES),
          increase(inPanel, kStride),
        ]),
        increase(from, i32.mul(stride, width)),
      ]);
    },
  );
}
