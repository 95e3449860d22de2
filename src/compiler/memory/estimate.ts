import { type Bindings, evalDim, type Shape } from '../../ir/dims.ts';
import { fullestIterations } from '../../ir/loop.ts';
import { BYTES_PER_ELEMENT, type LoopNode, type SourceLocation, type ValueId } from '../../ir/node.ts';
import type { Estimate, TimelinePoint } from '../../ir/plan.ts';
import type { Program, Step } from '../../ir/program.ts';

/** Bytes of a storage; `bindings` give the names its shape depends on. */
export function bytesOf(shape: Shape, bindings: Bindings): number {
  let elements = 1;
  for (const dim of shape) elements *= typeof dim === 'number' ? dim : evalDim(dim, bindings);
  return elements * BYTES_PER_ELEMENT;
}

/** Bytes of the storages that are alive or have been. */
export type Sizes = Map<ValueId, number>;

/**
 * Runs steps on a counter instead of a device. Loops run the one iteration that takes most: a full chunk with all of its
 * borders, where there is one. `visit` sees the live bytes right after every step that changes them or runs a kernel.
 */
export function simulate(
  steps: readonly Step[],
  live: number,
  sizes: Sizes,
  bindings: Bindings,
  visit: (step: Step, live: number, loops: readonly LoopNode[]) => void,
  loops: readonly LoopNode[] = [],
): number {
  for (const step of steps) {
    switch (step.kind) {
      case 'alloc': {
        const bytes = bytesOf(step.shape, bindings);
        sizes.set(step.value, bytes);
        live += bytes;
        visit(step, live, loops);
        break;
      }
      case 'free':
        live -= sizes.get(step.value) ?? 0;
        visit(step, live, loops);
        break;
      case 'call':
        visit(step, live, loops);
        break;
      case 'loop': {
        const { loop } = step;
        const inside = fullest(step, live, sizes, bindings);
        live = simulate(step.steps, live, sizes, inside, visit, [...loops, loop]);
        break;
      }
      case 'view':
        break;
      default:
        step satisfies never;
    }
  }
  return live;
}

/** The iteration of a loop that takes most. */
function fullest(
  { loop, steps }: Extract<Step, { kind: 'loop' }>,
  live: number,
  sizes: Sizes,
  bindings: Bindings,
): Bindings {
  const iterations = fullestIterations(loop, bindings);
  // A body that names no dimensions is a sketch of one iteration.
  if (iterations.length === 1 || loop.body.dims.length === 0) return iterations[0] as Bindings;
  const peaks = iterations.map((inside) => {
    let peak = live;
    simulate(steps, live, sizes, inside, (_, now) => void (peak = Math.max(peak, now)));
    return peak;
  });
  return iterations[peaks.indexOf(Math.max(...peaks))] as Bindings;
}

/**
 * What a run of the program will measure, to the byte: inputs are alive from the first step to the last, storages from
 * their `alloc` to their `free`. `bindings` give the named dimensions of a program that was not specialised.
 */
export function estimate(program: Program, bindings: Bindings = {}): Estimate {
  const sizes: Sizes = new Map();
  for (const input of program.inputs) sizes.set(input.id, bytesOf(input.shape, bindings));
  const start = [...sizes.values()].reduce((a, b) => a + b, 0);
  const nodes = labels(program.steps);
  const timeline: TimelinePoint[] = [{ label: 'inputs', value: '', loops: [], liveBytes: start }];
  const alive = new Set<ValueId>(sizes.keys());
  let aliveAtPeak = [...alive];
  let peakIndex = 0;
  simulate(program.steps, start, sizes, bindings, (step, liveBytes, loops) => {
    if (step.kind === 'alloc') alive.add(step.value);
    else if (step.kind === 'free') alive.delete(step.value);
    const value = step.kind === 'call' ? step.into : step.kind === 'loop' ? step.loop.id : step.value;
    timeline.push({
      label: nodes.get(value)?.label ?? value,
      value,
      loops: loops.map(({ id }) => id),
      liveBytes,
    });
    if (liveBytes > (timeline[peakIndex] as TimelinePoint).liveBytes) {
      peakIndex = timeline.length - 1;
      aliveAtPeak = [...alive];
    }
  });
  const liveAtPeak = aliveAtPeak.map((value) => {
    const at = nodes.get(value)?.at;
    return { value, bytes: sizes.get(value) as number, ...(at ? { at } : {}) };
  });
  return {
    peakBytes: (timeline[peakIndex] as TimelinePoint).liveBytes,
    parameterBytes: program.params.reduce((sum, { shape }) => sum + bytesOf(shape, bindings), 0),
    timeline,
    peakIndex,
    liveAtPeak: liveAtPeak.sort((a, b) => b.bytes - a.bytes || (a.value < b.value ? -1 : 1)),
    largestStorageBytes: Math.max(0, ...sizes.values()),
  };
}

interface Label {
  readonly label: string;
  readonly at?: SourceLocation;
}

/** Who allocates what, for people: the op that writes a storage, and the results of loops. */
function labels(
  steps: readonly Step[],
  known = new Map<ValueId, Label>(),
  viewed = new Map<ValueId, ValueId>(),
): Map<ValueId, Label> {
  for (const step of steps) {
    if (step.kind === 'loop') {
      labels(step.steps, known, viewed);
      for (const result of step.loop.results) {
        const writer = known.get(result.value);
        known.set(result.id, { ...writer, label: path(step.loop.scope, result.id) });
      }
    } else if (step.kind === 'call') {
      const { node } = step;
      const label = { label: path(node.scope, node.id), ...(node.at ? { at: node.at } : {}) };
      for (const value of [step.into, ...step.scratch]) known.set(value, label);
      const storage = viewed.get(step.into);
      if (storage !== undefined && !known.has(storage))
        known.set(storage, { ...label, label: path(node.scope, storage) });
    } else if (step.kind === 'view') {
      viewed.set(step.value, step.of);
    }
  }
  return known;
}

const path = (scope: string, value: ValueId): string => (scope === '' ? value : `${scope}/${value}`);
