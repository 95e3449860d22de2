import { type Bindings, evalShape, type Shape } from '../ir/dims.ts';
import { loopSizes } from '../ir/loop.ts';
import { BYTES_PER_ELEMENT, type OpNode, type TensorType, type ValueId } from '../ir/node.ts';
import { opDef } from '../ir/ops/index.ts';
import type { Program, Step, View } from '../ir/program.ts';
import { evalAttrs } from './attrs.ts';
import type { Weights } from './weights.ts';

/**
 * Seconds that a program takes less than the one it was narrowed from: the same calls in the same order, on slices. Loops
 * count their middle iteration, at full chunk length, once for every chunk.
 */
export function skippedSeconds(full: Program, narrowed: Program, weights: Weights): number {
  return new Clock(full, weights).seconds(full.steps) - new Clock(narrowed, weights).seconds(narrowed.steps);
}

/** Time that kernels inside loops take to compute, without the time to issue them. */
class Clock {
  readonly #weights: Weights;
  readonly #types = new Map<ValueId, TensorType>();

  constructor({ inputs, params }: Program, weights: Weights) {
    this.#weights = weights;
    for (const value of [...inputs, ...params]) this.#types.set(value.id, value);
  }

  seconds(steps: readonly Step[], bindings: Bindings = {}, inLoop = false): number {
    let seconds = 0;
    for (const step of steps) {
      switch (step.kind) {
        case 'alloc':
          this.#types.set(step.value, { shape: evalShape(step.shape, bindings), dtype: step.dtype });
          break;
        case 'view':
          this.#types.set(step.value, seen(this.#types.get(step.of) as TensorType, step.view, bindings));
          break;
        case 'call':
          if (inLoop) seconds += this.#call(step.node, step.operands, bindings);
          break;
        case 'loop': {
          const { start, length } = step.loop;
          const { extent, chunkSize } = loopSizes(step.loop);
          const middle = { ...bindings, [start]: (extent - chunkSize) / 2, [length]: chunkSize };
          seconds += (extent / chunkSize) * this.seconds(step.steps, middle, true);
          break;
        }
        case 'free':
          break;
        default:
          step satisfies never;
      }
    }
    return seconds;
  }

  #call(node: OpNode, operands: readonly ValueId[], bindings: Bindings): number {
    const types = operands.map((id) => this.#types.get(id) as TensorType);
    const out = { shape: evalShape(node.shape, bindings), dtype: node.dtype };
    const flops = opDef(node.op).flops(types, evalAttrs(node.attrs, bindings), out);
    const elements = [out, ...types].reduce((sum, { shape }) => sum + count(shape), 0);
    const { flopsPerSecond, bytesPerSecond } = this.#weights;
    return Math.max(flops / flopsPerSecond, (elements * BYTES_PER_ELEMENT) / bytesPerSecond);
  }
}

const count = (shape: Shape): number => shape.reduce<number>((product, dim) => product * (dim as number), 1);

function seen({ shape, dtype }: TensorType, view: View, bindings: Bindings): TensorType {
  switch (view.kind) {
    case 'slice': {
      const [start, stop] = evalShape([view.start, view.stop], bindings) as [number, number];
      return { shape: shape.map((dim, axis) => (axis === view.axis ? stop - start : dim)), dtype };
    }
    case 'permute':
      return { shape: view.axes.map((axis) => shape[axis] as number), dtype };
    case 'reshape':
    case 'expand':
      return { shape: evalShape(view.shape, bindings), dtype };
    default:
      return view satisfies never;
  }
}
