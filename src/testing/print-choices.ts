import type { Choice } from '../compiler/loops/region.ts';
import { isContraction, type NodeCut } from '../ir/flow.ts';

/**
 * The loops of a plan, a line each, those inside others indented: values and the axis they are cut along (`×` in steps of
 * more than one, `Σ` the label that is added up), the chunk size and the extent.
 */
export const printChoices = (choices: readonly Choice[], indent = ''): string[] =>
  choices.flatMap(({ region: { cuts, extent }, chunkSize, inner = [] }) => [
    `${indent}${[...cuts].map(([id, cut]) => `${id} ${printCut(cut)}`).join(', ')}: ${chunkSize} of ${extent}`,
    ...printChoices(inner, `${indent}  `),
  ]);

function printCut(cut: NodeCut): string {
  const where = isContraction(cut) ? `Σ${cut.contracts}` : `${cut.axis}`;
  return cut.multiple === 1 ? where : `${where}×${cut.multiple}`;
}
