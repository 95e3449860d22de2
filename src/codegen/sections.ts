import type { Program, Step } from '../ir/program.ts';

/** The scope around a scope: `h.0` of `h.0.attn`. */
const parent = (scope: string): string => scope.slice(0, Math.max(0, scope.lastIndexOf('.')));

/**
 * Which scope heads the section that a step of some scope belongs to: the innermost one with at least two calls, so that
 * a layer of one call is no section of its own.
 */
export function sectionHeadings(program: Program): (scope: string) => string {
  const calls = new Map<string, number>();
  const countCalls = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') countCalls(step.steps);
      if (step.kind !== 'call') continue;
      for (let scope = step.node.scope; scope !== ''; scope = parent(scope)) {
        calls.set(scope, (calls.get(scope) ?? 0) + 1);
      }
    }
  };
  countCalls(program.steps);
  const headings = new Map<string, string>();
  return (scope) => {
    let heading = headings.get(scope) ?? scope;
    while (heading !== '' && (calls.get(heading) ?? 0) < 2) heading = parent(heading);
    headings.set(scope, heading);
    return heading;
  };
}
