import { invariant } from '../../errors.ts';
import type { Bindings } from '../../ir/dims.ts';
import { fullestIterations } from '../../ir/loop.ts';
import type { LoopNode, ValueId } from '../../ir/node.ts';
import type { ArenaLayout } from '../../ir/plan.ts';
import type { Program, Step } from '../../ir/program.ts';
import { bytesOf } from './estimate.ts';
import { ALIGNMENT, type Block } from './pack.ts';
import { packInParts } from './pack-parts.ts';

const aligned = (bytes: number): number => Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);

/**
 * Places all storages of a program in one arena, so that those that are alive at the same time do not overlap. Bodies of
 * loops are placed once, with full chunks: every iteration allocates and frees the same storages. Donated inputs come
 * first, one after another; their memory is used again once they are dead.
 */
export function assignOffsets(program: Program): ArenaLayout {
  const donated = program.inputs.filter((input) => input.donated);
  const lives = livesOf(program);
  let start = 0;
  const fixed: Block[] = donated.map(({ id, shape }) => {
    const bytes = aligned(bytesOf(shape, {}));
    const at = start;
    start += bytes;
    return { bytes, from: -1, to: lives.get(id)?.to ?? Number.POSITIVE_INFINITY, at };
  });
  const values = [...lives].filter(([, { from }]) => from >= 0);
  const packed = packInParts(
    values.map(([, life]) => life),
    fixed,
  );
  return {
    bytes: packed.bytes,
    offsets: new Map(values.map(([value], i) => [value, packed.offsets[i] as number])),
  };
}

interface Life {
  readonly bytes: number;
  /** Steps, counted through one iteration of every loop: alive from `from` on, dead at `to`. */
  readonly from: number;
  readonly to: number;
}

/** The storages that a program allocates, and the ends of its donated inputs. */
function livesOf(program: Program): Map<ValueId, Life> {
  const lives = new Map<ValueId, Life>();
  let time = 0;
  const walk = (steps: readonly Step[], iterations: readonly Bindings[], loop?: LoopNode): void => {
    for (const step of steps) {
      time++;
      switch (step.kind) {
        case 'alloc':
          lives.set(step.value, {
            bytes: aligned(Math.max(...iterations.map((names) => bytesOf(step.shape, names)))),
            from: time,
            to: Number.POSITIVE_INFINITY,
          });
          break;
        case 'free': {
          const life = lives.get(step.value);
          lives.set(step.value, life ? { ...life, to: time } : { bytes: 0, from: -1, to: time });
          break;
        }
        case 'loop': {
          const { loop } = step;
          walk(
            step.steps,
            iterations.flatMap((names) => fullestIterations(loop, names)),
            loop,
          );
          break;
        }
        case 'view':
        case 'call':
          break;
        default:
          step satisfies never;
      }
    }
    if (!loop) return;
    for (const step of steps) {
      invariant(
        step.kind !== 'alloc' || (lives.get(step.value) as Life).to <= time,
        () => `a storage of ${loop.id} outlives an iteration`,
      );
    }
  };
  walk(program.steps, [{}]);
  return lives;
}
