import { addDims, type Dim, mulDims, type Shape, subDims, substituteDim } from '../../ir/dims.ts';
import { BYTES_PER_ELEMENT, type LoopNode, type ValueId } from '../../ir/node.ts';
import type { Program, Step } from '../../ir/program.ts';

/** Live bytes where they may be the most, as a dimension: of what is named in the program, and of its chunk sizes. */
export interface LiveBytes {
  readonly bytes: Dim;
  /** The storage that was allocated last; undefined for the inputs alone. */
  readonly storage: Dim | undefined;
  /** The loops around, outermost first. */
  readonly loops: readonly LoopNode[];
}

type Names = Readonly<Record<string, Dim>>;

/**
 * Live bytes of a program that is not specialised, right after every allocation. As in `simulate`, a loop counts as its
 * first iteration, a full chunk.
 */
export function liveBytes(program: Program): LiveBytes[] {
  const sizes = new Map<ValueId, Dim>();
  for (const { id, shape } of program.inputs) sizes.set(id, bytesOf(shape, {}));
  const start = addDims(...sizes.values());
  const found: LiveBytes[] = [{ bytes: start, storage: undefined, loops: [] }];
  const run = (steps: readonly Step[], before: Dim, names: Names, loops: readonly LoopNode[]): Dim => {
    let bytes = before;
    for (const step of steps) {
      if (step.kind === 'alloc') {
        const storage = bytesOf(step.shape, names);
        sizes.set(step.value, storage);
        bytes = addDims(bytes, storage);
        found.push({ bytes, storage, loops });
      } else if (step.kind === 'free') {
        bytes = subDims(bytes, sizes.get(step.value) as Dim);
      } else if (step.kind === 'loop') {
        const { loop } = step;
        const inside = { ...names, [loop.start]: 0, [loop.length]: loop.chunkSize };
        bytes = run(step.steps, bytes, inside, [...loops, loop]);
      }
    }
    return bytes;
  };
  run(program.steps, start, {}, []);
  return found;
}

const bytesOf = (shape: Shape, names: Names): Dim =>
  mulDims(BYTES_PER_ELEMENT, ...shape.map((dim) => substituteDim(dim, names)));
