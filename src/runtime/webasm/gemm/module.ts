import type { Code, Local, Value } from '../assembler/code.ts';
import { count, i32, increase, repeatWhile, set, when } from '../assembler/instructions.ts';
import { type MemoryImport, type WasmFunction, WasmModule } from '../assembler/module.ts';
import { TILE, TILE_ROW_BYTES } from './micro-kernel.ts';
import { defineMatrices, defineWindows, type Operands } from './operands.ts';
import { definePack } from './pack.ts';
import { type Parameter, parametersAt } from './parameters.ts';
import { defineTile, SPARE_TILE_BYTES } from './tile.ts';

/**
 * Parts of A and B that are packed at a time: a block of B and the block of A beside it stay in the second cache, a panel
 * of eight columns of B in the first.
 */
const BLOCK = { rows: 64, columns: 256, k: 256 } as const;

const FLOAT = 4;

/** Where the parts of a workspace start. */
const SPARE_AT = 0;
const BIAS_AT = SPARE_AT + SPARE_TILE_BYTES;
const ROWS_AT = BIAS_AT + Math.max(BLOCK.columns * FLOAT, BLOCK.rows * TILE_ROW_BYTES);
const COLUMNS_AT = ROWS_AT + BLOCK.rows * BLOCK.k * FLOAT;
/** What a thread needs for packed operands, however large they are. */
export const WORKSPACE_BYTES = COLUMNS_AT + BLOCK.columns * BLOCK.k * FLOAT;

export interface ModuleOptions extends MemoryImport {
  /** The address of the parameters. */
  readonly block: number;
  /** Whether one instruction multiplies and adds; needs relaxed SIMD. */
  readonly fused: boolean;
}

/**
 * The module of `C (+)= A · B (+ bias)` for batches of matrices with any strides. It exports `run(begin, end, workspace)`,
 * which computes some of the tasks that C is divided into: `taskRows` × `taskColumns` elements of one matrix each, columns
 * first, then rows, then the batch.
 *
 * A sum goes over k in order, a block of k going on where the one before left off, so neither tasks nor blocks show in the
 * bits. Blocks of rows are computed for the columns and the terms that their last row sees.
 */
export const productModule = (options: ModuleOptions): Uint8Array<ArrayBuffer> =>
  gemmModule(options, defineMatrices);

/** The module of convolutions: A is the weight, B what the windows see. See {@link productModule}. */
export const convolutionModule = (options: ModuleOptions): Uint8Array<ArrayBuffer> =>
  gemmModule(options, defineWindows);

function gemmModule(
  { block, fused, ...memory }: ModuleOptions,
  define: (module: WasmModule, of: Parameter) => Operands,
): Uint8Array<ArrayBuffer> {
  const module = new WasmModule();
  const of = parametersAt(block);
  defineRun(module, of, defineTask(module, define(module, of), fused, of));
  return module.bytes(memory);
}

/** `(batch, row, endRow, column, endColumn, workspace)`: rows and columns of one matrix of a batch. */
export type Task = WasmFunction<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32']>;

/** The export `run(begin, end, workspace)`: tasks by number, columns first, then rows, then the batch. */
export function defineRun(module: WasmModule, of: Parameter, task: Task): void {
  module.define(
    ['i32', 'i32', 'i32'],
    (local, begin, end, workspace) => {
      const [at, rest, columnTasks, rowTasks] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const [row, column] = [local('i32'), local('i32')];
      const tasks = (extent: Value<'i32'>, size: Value<'i32'>): Value<'i32'> =>
        i32.div(i32.sub(i32.add(extent, size), 1), size);
      return [
        set(columnTasks, tasks(of('columns'), of('taskColumns'))),
        set(rowTasks, tasks(of('rows'), of('taskRows'))),
        count(at, begin, end, 1, [
          set(column, i32.mul(i32.rem(at, columnTasks), of('taskColumns'))),
          set(rest, i32.div(at, columnTasks)),
          set(row, i32.mul(i32.rem(rest, rowTasks), of('taskRows'))),
          task.call(
            i32.div(rest, rowTasks),
            row,
            i32.min(of('rows'), i32.add(row, of('taskRows'))),
            column,
            i32.min(of('columns'), i32.add(column, of('taskColumns'))),
            workspace,
          ),
        ]),
      ];
    },
    'run',
  );
}

/** The start of the block of rows, counted from the first, that a row is in. */
const wholeBlocks = (first: Local<'i32'>, row: Local<'i32'>): Value<'i32'> =>
  i32.add(first, i32.mul(i32.div(i32.sub(row, first), BLOCK.rows), BLOCK.rows));

function defineTask(module: WasmModule, operands: Operands, fused: boolean, of: Parameter): Task {
  const tile = defineTile(module, fused, of);
  const packBias = definePack(module, TILE.columns);
  return module.define(
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (local, batch, firstRow, endRow, firstColumn, endColumn, workspace) => {
      const [a, b, c, bias] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const [row, rows, column, columns] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const [k, depth] = [local('i32'), local('i32')];
      const [lastUnseeing, lastRow, terms, seen] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const [inRows, inColumns, fresh, biasTile] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const packedRows = i32.add(workspace, ROWS_AT);
      const packedColumns = i32.add(workspace, COLUMNS_AT);
      const packedBias = i32.add(workspace, BIAS_AT);
      const spare = i32.add(workspace, SPARE_AT);
      const isLast = i32.ge(i32.add(k, depth), of('k'));
      const biasByRow = of('biasRow');

      const tiles = count(inColumns, 0, seen, TILE.columns, [
        count(inRows, 0, rows, TILE.rows, [
          set(biasTile, 0),
          when(
            i32.and(i32.ne(bias, 0), isLast),
            set(
              biasTile,
              i32.add(
                packedBias,
                i32.mul(inColumns, i32.mul(i32.eq(biasByRow, 0), FLOAT)),
                i32.mul(inRows, i32.mul(i32.ne(biasByRow, 0), TILE_ROW_BYTES)),
              ),
            ),
          ),
          tile.call(
            i32.add(packedRows, i32.mul(inRows, i32.mul(terms, FLOAT))),
            i32.add(packedColumns, i32.mul(inColumns, i32.mul(depth, FLOAT))),
            terms,
            fresh,
            biasTile,
            i32.mul(i32.ne(biasByRow, 0), TILE_ROW_BYTES),
            i32.add(
              c,
              i32.mul(i32.add(row, inRows), of('cRow')),
              i32.mul(i32.add(column, inColumns), of('cColumn')),
              i32.mul(i32.div(i32.add(column, inColumns), of('cLine')), of('cGap')),
            ),
            i32.min(TILE.rows, i32.sub(rows, inRows)),
            i32.min(TILE.columns, i32.sub(columns, inColumns)),
            i32.rem(i32.add(column, inColumns), of('cLine')),
            spare,
          ),
        ]),
      ]);

      const blockOfBias = when(
        i32.and(i32.ne(bias, 0), isLast),
        when(
          biasByRow,
          packBias.call(
            packedBias,
            0,
            i32.add(bias, i32.mul(row, biasByRow)),
            TILE.columns,
            rows,
            0,
            biasByRow,
          ),
          packBias.call(
            packedBias,
            TILE_ROW_BYTES,
            i32.add(bias, i32.mul(column, of('biasColumn'))),
            columns,
            1,
            of('biasColumn'),
            0,
          ),
        ),
      );

      const blockOfRows: Code = [
        set(rows, i32.min(BLOCK.rows, i32.sub(endRow, row))),
        set(lastRow, i32.sub(i32.add(row, rows), 1)),
        set(terms, i32.min(depth, i32.sub(i32.add(of('termsSeen'), lastRow), k))),
        set(seen, i32.min(columns, i32.sub(i32.add(of('columnsSeen'), lastRow), column))),
        operands.packRows.call(packedRows, a, row, rows, k, terms, spare),
        blockOfBias,
        tiles,
      ];
      const blockOfK: Code = [
        set(depth, i32.min(BLOCK.k, i32.sub(of('k'), k))),
        set(fresh, i32.and(i32.eq(k, 0), i32.eq(of('accumulate'), 0))),
        // The last row that sees nothing of these columns, or of these terms.
        set(lastUnseeing, i32.max(i32.sub(column, of('columnsSeen')), i32.sub(k, of('termsSeen')))),
        set(row, i32.max(firstRow, i32.add(lastUnseeing, 1))),
        when(i32.lt(row, endRow), [
          operands.packColumns.call(packedColumns, b, column, columns, k, depth, spare),
          count(row, wholeBlocks(firstRow, row), endRow, BLOCK.rows, blockOfRows),
        ]),
        increase(k, depth),
      ];
      const at = (name: 'a' | 'b' | 'c' | 'bias'): Value<'i32'> =>
        i32.add(of(name), i32.mul(batch, of(`${name}Batch`)));
      return [
        set(a, at('a')),
        set(b, at('b')),
        set(c, at('c')),
        set(bias, 0),
        when(of('bias'), set(bias, at('bias'))),
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
