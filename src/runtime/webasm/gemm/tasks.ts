import { TILE } from './micro-kernel.ts';

/** Parts for each thread, so that one that is late leaves some of its share to the others. */
const PARTS = 4;
/** Multiply-adds below which a part is not worth the hand-over: tens of microseconds. */
const LEAST_WORK = 2 ** 18;

export interface Tasks {
  /** Extents of the tasks that every matrix of C is divided into. */
  readonly taskRows: number;
  readonly taskColumns: number;
  readonly tasks: number;
  /** How many tasks a thread takes at a time. */
  readonly step: number;
}

const halved = (extent: number, multiple: number): number => Math.ceil(extent / 2 / multiple) * multiple;

/**
 * Divides a batch of products among threads: by matrices where there are enough of them, else by halves of the longer side
 * of C, whose parts share the least of their operands.
 */
export function divide(
  { rows, columns, k }: { readonly rows: number; readonly columns: number; readonly k: number },
  batch: number,
  threads: number,
): Tasks {
  const work = batch * rows * columns * k;
  const wanted = threads === 1 ? 1 : Math.min(threads * PARTS, Math.floor(work / LEAST_WORK));
  let [taskRows, taskColumns] = [rows, columns];
  const count = (): number => batch * Math.ceil(rows / taskRows) * Math.ceil(columns / taskColumns);
  while (count() < wanted) {
    if (taskColumns >= taskRows && taskColumns > TILE.columns)
      taskColumns = halved(taskColumns, TILE.columns);
    else if (taskRows > TILE.rows) taskRows = halved(taskRows, TILE.rows);
    else break;
  }
  const tasks = count();
  return { taskRows, taskColumns, tasks, step: Math.ceil(tasks / Math.max(1, wanted)) };
}
