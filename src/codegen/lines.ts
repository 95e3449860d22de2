import { comment } from './text.ts';

/** A line of a function body before comments are aligned. */
export interface Line {
  readonly indent: number;
  readonly code: string;
  /** What the line makes: `f32[8, n, 512] · 1 MiB`. */
  readonly note?: string;
  /** Which line of the model it comes from: `model.ts:41`. */
  readonly at?: string;
}

/** Code wider than this is broken; comments may stand to its right. */
export const WIDTH = 100;

/** Lays lines out with their comments in columns; notes and places are text, whatever they contain. */
export function layOut(lines: readonly Line[]): string[] {
  const commented = lines.filter((line) => line.code !== '' && (line.note || line.at));
  const column = mostlyFits(commented.map((line) => line.indent * 2 + line.code.length));
  const noteColumn = mostlyFits(commented.filter((line) => line.at).map((line) => line.note?.length ?? 0));
  return lines.map(({ indent, code, note, at }) => {
    if (code === '') return '';
    const text = '  '.repeat(indent) + code;
    if (!note && !at) return text;
    const remark = at ? `${(note ?? '').padEnd(noteColumn)}  ${at}` : note;
    return `${text.padEnd(column)}  // ${comment(remark as string)}`;
  });
}

/** The smallest width that four in five fit in: a few long lines do not push every comment away. */
function mostlyFits(widths: readonly number[]): number {
  const sorted = [...widths].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.8) - 1] ?? 0;
}
