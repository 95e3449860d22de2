import { addDims, mulDims, subDims } from '../ir/dims.ts';
import { dimension, type Frame } from './expression.ts';
import type { Line } from './lines.ts';
import type { LoopNames } from './names.ts';
import { literal } from './text.ts';

/** The statements that an iteration begins with: where it is, and the variables that its code mentions. `around`: the loops around. */
export function loopVariables(frame: Frame, around: readonly Frame[]): Omit<Line, 'indent'>[] {
  const { loop, names } = frame;
  const { start, stop, length } = names;
  const extent = dimension(loop.extent, around);
  const chunkSize = dimension(loop.chunkSize, around);
  // Borders may need the end of the chunk.
  const halos = halosOf(frame, around);
  const variables = [`await device.step(${literal(loop.id)}, ${start}, ${extent});`];
  if (frame.usesStop) variables.push(`const ${stop} = Math.min(${start} + ${chunkSize}, ${extent});`);
  if (frame.usesLength) {
    const value = frame.usesStop ? `${stop} - ${start}` : `Math.min(${chunkSize}, ${extent} - ${start})`;
    variables.push(`const ${length} = ${value};`);
  }
  const reach = { note: 'with what windows reach beyond the chunk' };
  return [
    ...variables.map((code) => ({ code })),
    ...halos.map((code, i) => ({ code, ...(i === 0 ? reach : {}) })),
  ];
}

/** What an iteration covers with its borders, as far as code mentions it. */
function halosOf(frame: Frame, around: readonly Frame[]): string[] {
  const { loop, names, usedHalos } = frame;
  return loop.halos.flatMap(({ multiple, before, after, extent }, i) => {
    const { start, stop } = names.halos[i] as LoopNames['halos'][number];
    const variables: string[] = [];
    const shifted = (of: string, by: number): string => {
      const scaled = multiple === 1 ? of : `${multiple} * ${of}`;
      return by === 0 ? scaled : `${scaled} ${by < 0 ? '-' : '+'} ${Math.abs(by)}`;
    };
    if (usedHalos.has(start)) {
      const first = shifted(names.start, -before);
      variables.push(`const ${start} = ${before === 0 ? first : `Math.max(0, ${first})`};`);
    }
    if (usedHalos.has(stop)) {
      frame.usesStop = true;
      const end = shifted(names.stop, after);
      const left = subDims(extent, addDims(mulDims(multiple, loop.extent), after));
      const isInside = typeof left === 'number' && left >= 0;
      const most = dimension(extent, around);
      variables.push(`const ${stop} = ${isInside ? end : `Math.min(${most}, ${end})`};`);
    }
    return variables;
  });
}
