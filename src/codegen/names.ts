import type { LoopNode, ValueId } from '../ir/node.ts';
import type { Program, Step } from '../ir/program.ts';

/** Names that mean something else in a generated module, or nothing JavaScript accepts. */
export const RESERVED: ReadonlySet<string> = new Set(
  (
    'device inputs params options k run compute info chunkSizes fitChunk plannedPeakBytes readDims Device DeviceRun RunOptions Tensor Inputs Params Outputs Math Promise undefined NaN Infinity ' +
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends ' +
    'false finally for function if implements import in instanceof interface let new null package private protected ' +
    'public return static super switch this throw true try typeof var void while with yield'
  ).split(' '),
);

/** The variables of one loop: the first unit, the unit after the last, and how many. */
export interface LoopNames {
  readonly start: string;
  readonly stop: string;
  readonly length: string;
  /** In order of the loop's halos: the first element, and the one after the last. */
  readonly halos: readonly { readonly start: string; readonly stop: string }[];
}

export interface Names {
  readonly values: ReadonlyMap<ValueId, string>;
  /** By loop id. Loops that are not nested in each other share names. */
  readonly loops: ReadonlyMap<string, LoopNames>;
}

/** Variable names of a module: the ids of the values where they are free, so the author's own words. `sizes` are variables already. */
export function chooseNames(program: Program, sizes: readonly string[] = []): Names {
  const taken = new Set([...RESERVED, ...sizes]);
  const values = new Map<ValueId, string>();
  const nameValues = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') nameValues(step.steps);
      else if (step.kind === 'alloc' || step.kind === 'view') {
        // What a loop carries is named after the value it is for: `weights$max`.
        const name = firstFree(step.value.replaceAll('$', '_'), taken);
        taken.add(name);
        values.set(step.value, name);
      }
    }
  };
  nameValues(program.steps);

  const loops = new Map<string, LoopNames>();
  const nameLoops = (steps: readonly Step[], around: ReadonlySet<string>): void => {
    for (const step of steps) {
      if (step.kind !== 'loop') continue;
      const names = loopNames(step.loop, (name) => taken.has(name) || around.has(name));
      loops.set(step.loop.id, names);
      const inside = [names, ...names.halos].flatMap(({ start, stop }) => [start, stop]);
      nameLoops(step.steps, new Set([...around, ...inside, names.length]));
    }
  };
  nameLoops(program.steps, new Set());
  return { values, loops };
}

function firstFree(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`;
  return name;
}

function loopNames(loop: LoopNode, isTaken: (name: string) => boolean): LoopNames {
  const base = loop.length.replace(/_?\d+$/, '') || loop.length;
  for (let n = 1; ; n++) {
    const suffix = n === 1 ? '' : `_${n}`;
    const names = { start: `${base}0${suffix}`, stop: `${base}1${suffix}`, length: `${base}${suffix}` };
    if (isTaken(names.start) || isTaken(names.stop) || isTaken(names.length)) continue;
    const halos = loop.halos.map((_, i) => {
      const which = `${i === 0 ? '' : i + 1}${suffix}`;
      return { start: `${base}From${which}`, stop: `${base}To${which}` };
    });
    if (halos.some(({ start, stop }) => isTaken(start) || isTaken(stop))) continue;
    return { ...names, halos };
  }
}
