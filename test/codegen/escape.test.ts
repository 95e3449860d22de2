import fc from 'fast-check';
import { ts } from 'ts-morph';
import { describe, expect, test } from 'vitest';
import { generateModule } from '../../src/codegen/generate.ts';
import { loadModule } from '../../src/codegen/load.ts';
import { comment, literal, objectKey } from '../../src/codegen/text.ts';
import { formatBytes } from '../../src/ir/bytes.ts';
import type { Graph, Node } from '../../src/ir/node.ts';
import type { Plan } from '../../src/ir/plan.ts';
import type { Program, Step } from '../../src/ir/program.ts';
import * as runtime from '../../src/runtime/index.ts';
import { attention } from './support.ts';

const HOSTILE = [
  "'; globalThis.hacked = true; '",
  '*/ globalThis.hacked = true; /*',
  '\n globalThis.hacked = true; //',
  '\u2028globalThis.hacked = true;//',
  '\r\nglobalThis.hacked = true;',
  '`\u0024{(globalThis.hacked = true)}`',
  '\\',
  "\\'; globalThis.hacked = true; //",
  '@ts-nocheck',
  '\u202e// gnikcah \u2066',
  '</script><script>globalThis.hacked = true</script>',
  '__proto__',
  'constructor',
  '\ud800',
  '',
];

/** A plan in which everything that is text says `text`. */
function tainted(text: string): Plan {
  const plan = attention();
  const at = { file: text, line: 1, column: 1 };
  const node = <N extends Node>(n: N): N =>
    n.kind === 'op'
      ? { ...n, scope: `${text}.${text}`, at }
      : { ...n, over: text, scope: `${text}.${text}`, body: graph(n.body) };
  const graph = (g: Graph): Graph => ({
    ...g,
    params: g.params.map((param) => ({ ...param, key: text })),
    nodes: g.nodes.map(node),
    outputs: g.outputs.map((output, i) => ({ ...output, name: text + '!'.repeat(i) })),
  });
  const steps = (list: readonly Step[]): Step[] =>
    list.map((step) => {
      if (step.kind === 'call') return { ...step, node: node(step.node) };
      if (step.kind === 'loop') return { ...step, loop: node(step.loop), steps: steps(step.steps) };
      return step;
    });
  const program = (p: Program): Program => ({
    ...p,
    params: p.params.map((param) => ({ ...param, key: text })),
    steps: steps(p.steps),
    outputs: p.outputs.map((output, i) => ({ ...output, name: text + '!'.repeat(i) })),
  });
  return {
    ...plan,
    model: text,
    dims: Object.fromEntries([[text, 40]]),
    graph: graph(plan.graph),
    program: program(plan.program),
    loops: plan.loops.map((loop) => ({ ...loop, path: text, over: text })),
  };
}

/** The kinds of the statements of a module: text that became code would change them. */
const statements = (source: string): string[] =>
  ts
    .createSourceFile('module.ts', source, ts.ScriptTarget.ES2022)
    .statements.map((statement) => ts.SyntaxKind[statement.kind] as string);

/** The module's tokens apart from string literals and names of properties. */
function skeleton(source: string): string {
  const kinds: string[] = [];
  const visit = (node: ts.Node): void => {
    const text = ts.isStringLiteral(node) || ts.isIdentifier(node);
    kinds.push(text ? 'text' : (ts.SyntaxKind[node.kind] as string));
    node.forEachChild(visit);
  };
  visit(ts.createSourceFile('module.ts', source, ts.ScriptTarget.ES2022));
  // `a: b` and `a` name a property alike, and `__proto__` is computed.
  return kinds
    .filter((kind) => !kind.includes('PropertyAssignment') && kind !== 'ComputedPropertyName')
    .join(' ');
}

const plain = generateModule(tainted('odd name'), { modelFile: 'odd name' });

describe('text from models and weight files stays text', () => {
  test.each(HOSTILE)('%j', (text) => {
    const source = generateModule(tainted(text), { modelFile: text });
    expect(statements(source)).toEqual(statements(plain));
    expect(skeleton(source) === skeleton(plain)).toBe(true);
    const { info } = loadModule(source, runtime);
    expect(info.model).toBe(text);
    expect(Object.keys(info.dims)).toEqual([text]);
    expect(Object.values(info.params).map(({ key }) => key)).toEqual([text, text, text]);
    expect(Object.keys(info.outputs)).toEqual([text, `${text}!`]);
    expect(globalThis).not.toHaveProperty('hacked');
  });

  test('any text at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const inComment = comment(text);
        expect(inComment).not.toMatch(/\*\/|[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(new Function(`return ${literal(text)}`)()).toBe(text);
        const made = new Function(`return { ${objectKey(text)}: 1 }`)() as object;
        expect(Object.entries(made)).toEqual([[text, 1]]);
        expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
      }),
    );
  });
});

test('bytes are written for people', () => {
  expect([0, 1, 1023, 1024, 1536, 1814036, 20 * 2 ** 20, 1.5 * 2 ** 40].map(formatBytes)).toEqual([
    '0 B',
    '1 B',
    '1023 B',
    '1 KiB',
    '1.50 KiB',
    '1.73 MiB',
    '20 MiB',
    '1.50 TiB',
  ]);
});
