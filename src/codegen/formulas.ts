import { SCALAR } from '../formula/formula.ts';
import { parseFormula } from '../formula/parse.ts';
import { opsOf } from '../formula/walk.ts';
import { isTextAttr, type OpNode } from '../ir/node.ts';
import type { Program, Step } from '../ir/program.ts';
import { RESERVED } from './names.ts';

/** The formula of a fused op; undefined for other ops. */
export function formulaOf({ op, attrs: { formula } }: OpNode): string | undefined {
  return op === 'fused' && isTextAttr(formula) ? formula.text : undefined;
}

/** More ops than this are not named one by one. */
const MOST_WORDS = 4;

/** Names for the kernels of the formulas that a program computes, by formula: `silu(a) * b` is `siluMul`. */
export function nameFormulas(program: Program, sizes: readonly string[] = []): ReadonlyMap<string, string> {
  const texts = new Set<string>();
  const taken = new Set([...RESERVED, ...sizes]);
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') visit(step.steps);
      else if (step.kind === 'alloc' || step.kind === 'view') taken.add(step.value);
      else if (step.kind === 'call') {
        const text = formulaOf(step.node);
        if (text !== undefined) texts.add(text);
      }
    }
  };
  visit(program.steps);
  const names = new Map<string, string>();
  for (const text of texts) {
    const wanted = wordsOf(text);
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`;
    taken.add(name);
    names.set(text, name);
  }
  return names;
}

function wordsOf(text: string): string {
  const words = opsOf(parseFormula(text)).map(({ op }) =>
    op.endsWith(SCALAR) ? op.slice(0, -SCALAR.length) : op,
  );
  if (words.length > MOST_WORDS) return `fused${words.length}`;
  return words.map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join('');
}
