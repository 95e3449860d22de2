import { foldLayers } from './fold-layers.ts';

/** A titled, indented list of a report, with repeated layers folded; '' when there is nothing to list. */
export const reportSection = (title: string, lines: readonly string[]): string =>
  lines.length === 0
    ? ''
    : [
        `  ${title} (${lines.length}):`,
        ...foldLayers(lines).map((line) => `    ${line.replaceAll('\n', '\n    ')}`),
      ].join('\n');
