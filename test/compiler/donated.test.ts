import { add, defineModel, exp, f32, i32, nn, reshape, softmax, type Tensor, transpose } from 'autochunk';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate } from '../../src/compile.ts';
import { parseBudget } from '../../src/compiler/budget.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Graph } from '../../src/ir/node.ts';
import { parseGraph as parse } from '../../src/ir/parse.ts';
import type { Plan } from '../../src/ir/plan.ts';
import { printGraph as print } from '../../src/ir/print.ts';
import type { Device } from '../../src/runtime/index.ts';
import { openDevice } from '../../src/runtime/index.ts';
import { comparePlan } from '../../src/testing/compare.ts';
import { trace } from '../../src/trace/tracer.ts';
import { gptGraph } from '../support/graphs.ts';

const compile = (graph: Graph, budget: string, n = 8): Plan =>
  plan(graph, { dims: { N: n }, budget: parseBudget(budget), backend: 'cpu' });
const donated = { donated: true } as const;

describe('donated inputs', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend: 'cpu' });
  });
  afterAll(() => device.destroy());

  const model = (owned: boolean): Graph =>
    trace(
      defineModel('m', { x: owned ? f32('N', 4, donated) : f32('N', 4) }, ({ x }) => {
        const wide = nn.linear('up', x, 8);
        return exp(wide);
      }),
    );

  it('are freed after their last use, and the module says so', async () => {
    const planned = compile(model(true), '100%');
    // Both rows of eight at the end, against the input and both.
    expect(planned.unchunked.peakBytes).toBe(2 * 8 * 8 * 4);
    expect(compile(model(false), '100%').unchunked.peakBytes).toBe((4 + 8 + 8) * 8 * 4);
    const source = await generate(planned);
    expect(source).toMatch(/inputs\.x\.free\(\);\s+\/\/ donated/);
    expect(source).toContain("x: { shape: [8, 4], dtype: 'f32', donated: true },");
    expect((await comparePlan(planned, device)).failures).toEqual([]);
  });

  it('print, parse and specialise', () => {
    const graph = model(true);
    expect(print(graph)).toContain('donated input x: f32[N, 4]');
    expect(parse(print(graph))).toEqual(graph);
    expect(
      trace(
        defineModel('ids', { t: i32('N', { below: 5, donated: true }) }, ({ t }) =>
          nn.embedding('e', t, [5, 2]),
        ),
      ).inputs,
    ).toEqual([{ id: 't', shape: ['N'], dtype: 'i32', below: 5, donated: true }]);
    expect(() => f32('N', { donated: 1 as unknown as boolean })).toThrow(
      'expected donated to be true or false, got 1',
    );
  });

  const outputs: [string, (x: Tensor<['N', 4]>) => Tensor][] = [
    ['a view of it', (x) => transpose(x, 0, 1)],
    ['a view of a view', (x) => reshape(x, [4, 'N'])],
  ];
  it.each(outputs)('stay alive where an output is %s', async (_, forward) => {
    const graph = trace(defineModel('m', { x: f32('N', 4, donated) }, ({ x }) => forward(x)));
    const planned = compile(graph, '100%');
    expect(planned.planned.peakBytes).toBe(8 * 4 * 4);
    expect((await comparePlan(planned, device)).failures).toEqual([]);
  });

  it('are freed before anything runs where nothing reads them', async () => {
    const graph = trace(
      defineModel('m', { x: f32('N', 4, donated), y: f32('N', 4) }, ({ y }) => add(softmax(y), 1)),
    );
    const planned = compile(graph, '100%');
    // y, the result, and what softmax knows of its eight rows.
    expect(planned.planned.peakBytes).toBe(2 * 8 * 4 * 4 + 8 * 2 * 4);
    expect((await comparePlan(planned, device)).failures).toEqual([]);
  });

  it('run as planned with loops, whatever the budget', async () => {
    const gpt = gptGraph({ layers: 2, width: 8, heads: 2, vocabulary: 11 });
    const graph = { ...gpt, inputs: gpt.inputs.map((input) => ({ ...input, donated: true })) };
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 20 }),
        fc.integer({ min: 0, max: 100 }),
        async (n, share) => {
          const least = compile(graph, 'min', n).planned.peakBytes;
          const whole = compile(graph, '100%', n).planned.peakBytes;
          const planned = compile(graph, `${least + Math.floor((share / 100) * (whole - least))}`, n);
          expect((await comparePlan(planned, device)).failures).toEqual([]);
        },
      ),
      { numRuns: 6, seed: 11 },
    );
  });
});
