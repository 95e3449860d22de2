import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { COST_MODELS } from '../../src/compiler/cost/cost-models/index.ts';
import { programSeconds } from '../../src/compiler/cost/seconds.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { foldMasks } from '../../src/compiler/passes/fold-masks.ts';
import { limitProducts } from '../../src/compiler/passes/limit-products.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Graph } from '../../src/ir/node.ts';
import { opDef } from '../../src/ir/ops/index.ts';
import type { Backend } from '../../src/ir/ops/op.ts';
import type { Plan } from '../../src/ir/plan.ts';
import { printProgram } from '../../src/ir/print.ts';
import type { Step } from '../../src/ir/program.ts';
import { type Device, type OpenOptions, openDevice } from '../../src/runtime/index.ts';
import { comparePlan } from '../../src/testing/compare.ts';
import { testBackends } from '../support/backends.ts';
import { attentionGraph, GraphBuilder } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

const compile = (graph: Graph, n: number, budget: string, backend: Backend = 'webasm'): Plan =>
  plan(graph, { dims: { N: n }, budget: parseBudget(budget), backend });

/** What products say of the rows of theirs, in order. */
const limits = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) => {
    if (step.kind === 'loop') return limits(step.steps);
    if (step.kind !== 'call' || step.node.op !== 'matmul') return [];
    return Object.entries(step.node.attrs).map(([name, first]) => `${name} ${first}`);
  });

interface Attention {
  readonly rowStart?: number;
  readonly between?: (b: GraphBuilder, scores: string) => string;
  readonly after?: (
    b: GraphBuilder,
    names: { scores: string; weights: string; v: string },
  ) => Record<string, string>;
}

function attention({ rowStart = 0, between = (_, x) => x, after = () => ({}) }: Attention = {}): Graph {
  const b = new GraphBuilder('attention');
  const [q, k, v] = ['q', 'k', 'v'].map((id) => b.input(id, ['N', 3])) as [string, string, string];
  const scores = b.op('scores', 'matmul', [q, b.op('kT', 'permute', [k], { axes: [1, 0] })]);
  const mask = b.op('mask', 'causalMask', [between(b, scores)], { rowStart });
  const weights = b.op('weights', 'softmax', [mask], { axis: 1 });
  return b.build({ y: b.op('y', 'matmul', [weights, v]), ...after(b, { scores, weights, v }) });
}

/** Two query heads to each of two heads of keys and values. */
function grouped(): Graph {
  const b = new GraphBuilder('grouped');
  const q = b.input('q', [2, 2, 'N', 4]);
  const [k, v] = ['k', 'v'].map((id) => b.input(id, [2, 1, 'N', 4])) as [string, string];
  const scores = b.op('scores', 'matmul', [q, b.op('kT', 'permute', [k], { axes: [0, 1, 3, 2] })]);
  const weights = b.op('weights', 'softmax', [b.op('mask', 'causalMask', [scores])], { axis: 3 });
  return b.build({ y: b.op('y', 'matmul', [weights, v]) });
}

const limitsOf = (graph: Graph): string[] =>
  limits(limitProducts(foldMasks(lower(specialise(graph, { N: 6 }))), 'webasm').steps);

describe('limitProducts', () => {
  it('limits scores to the columns, and weighted sums to the terms, that rows see', () => {
    expect(printProgram(compile(attentionGraph(), 12, '100%').program)).toMatchInlineSnapshot(`
      "program "attention" {
        input q: f32[2, 12, 4]
        input k: f32[2, 12, 4]
        input v: f32[2, 12, 4]
        view kT = k.permute([0, 2, 1])
        alloc scores: f32[2, 12, 12]
        matmul(q, kT) {columnsSeen: 1} into scores
        view weights = scores
        alloc weights_scratch: f32[2, 12] as scratch
        alloc weights_scratch_2: f32[2, 12] as scratch
        causalSoftmax(scores) {rowStart: 0, columnStart: 0} into weights scratch weights_scratch, weights_scratch_2
        free weights_scratch
        free weights_scratch_2
        alloc context: f32[2, 12, 4] as output
        matmul(weights, v) {termsSeen: 1} into context
        free scores
        output "context" = context
      }
      "
    `);
    expect(limits(compile(attentionGraph(), 12, '50%').program.steps)).toEqual([
      'columnsSeen n0+1',
      'termsSeen n0+1',
    ]);
    expect(limits(compile(attentionGraph(), 12, '50%', 'webgpu').program.steps)).toHaveLength(2);
    // The slow reference computes products whole.
    expect(limits(compile(attentionGraph(), 12, '50%', 'cpu').program.steps)).toEqual([]);
  });

  it('needs every row to see a key, and scores that are not masked otherwise', () => {
    expect(limitsOf(attention())).toEqual(['columnsSeen 1', 'termsSeen 1']);
    expect(limitsOf(attention({ rowStart: 2 }))).toEqual(['columnsSeen 3', 'termsSeen 3']);
    expect(limitsOf(attention({ rowStart: -1 }))).toEqual([]);
    const scaled: Attention['between'] = (b, x) => b.op('scaled', 'mulScalar', [x], { value: 2 });
    // The product is not what softmax reads, and is computed whole.
    expect(limitsOf(attention({ between: scaled }))).toEqual(['termsSeen 1']);
    const biased: Attention['between'] = (b, x) => b.op('biased', 'add', [x, b.param('bias', [1])]);
    expect(limitsOf(attention({ between: biased }))).toEqual(['termsSeen 1']);
    const padded: Attention['between'] = (b, x) => b.op('padded', 'add', [x, b.input('pad', ['N'])]);
    expect(limitsOf(attention({ between: padded }))).toEqual([]);
    const huge: Attention['between'] = (b, x) => b.op('huge', 'addScalar', [x], { value: -3e38 });
    expect(limitsOf(attention({ between: huge }))).toEqual([]);
    expect(limitsOf(attention({ after: (_, { scores }) => ({ scores }) }))).toEqual([]);
    expect(limitsOf(attention({ after: (b, { scores }) => ({ z: b.op('z', 'exp', [scores]) }) }))).toEqual(
      [],
    );
  });

  it('limits every sum of the weights that has them on the left', () => {
    const after: Attention['after'] = (b, { weights, v }) => ({
      again: b.op('again', 'matmul', [weights, v]),
      squared: b.op('squared', 'matmul', [weights, weights]),
      turned: b.op('turned', 'matmul', [b.op('vT', 'permute', [v], { axes: [1, 0] }), weights]),
    });
    expect(limitsOf(attention({ after }))).toEqual(['columnsSeen 1', 'termsSeen 1', 'termsSeen 1']);
  });

  it('is part of the predicted time: half of both products', () => {
    const { program } = compile(attentionGraph(4, 32), 1024, '100%');
    const { program: whole } = compile(attentionGraph(4, 32), 1024, '100%', 'cpu');
    const products = (steps: readonly Step[]): readonly Step[] =>
      steps.filter((step) => step.kind !== 'call' || step.node.op === 'matmul');
    const { kernels, ...webasm } = COST_MODELS.webasm;
    const free = Object.entries(kernels).map(([kind, rates]) => [kind, { ...rates, dispatchSeconds: 0 }]);
    const model = { ...webasm, moduleSeconds: 0, kernels: Object.fromEntries(free) };
    const seconds = (of: typeof program): number =>
      programSeconds({ ...of, steps: products(of.steps) }, model);
    expect(seconds(program) / seconds(whole)).toBeGreaterThan(0.49);
    expect(seconds(program) / seconds(whole)).toBeLessThan(0.56);
  });

  it('counts what rows see', () => {
    const type = (...shape: number[]) => ({ shape, dtype: 'f32' }) as const;
    const flops = (attrs: Record<string, number>): number =>
      opDef('matmul').flops([type(2, 3, 5), type(2, 5, 4)], attrs, type(2, 3, 4));
    expect(flops({})).toBe(2 * 2 * 3 * 4 * 5);
    // 2, 3 and 4 of 4 columns; 4, 5 and 5 of 5 terms.
    expect(flops({ columnsSeen: 2 })).toBe(2 * 2 * 9 * 5);
    expect(flops({ termsSeen: 4 })).toBe(2 * 2 * 4 * 14);
  });

  it('leaves the float64 reference as it is', () => {
    const { program, unchunkedProgram } = compile(attentionGraph(), 12, '60%');
    const { unchunkedProgram: whole } = compile(attentionGraph(), 12, '60%', 'cpu');
    const data = randomData(program);
    for (const limited of [program, unchunkedProgram])
      expect(interpret(limited, data).outputs).toEqual(interpret(whole, data).outputs);
  });

  const devices: { name: string; options: OpenOptions & { backend: 'webasm' | 'webgpu' } }[] = [
    { name: 'webasm, 1 thread', options: { backend: 'webasm', threads: 1 } },
    { name: 'webasm, 3 threads', options: { backend: 'webasm', threads: 3 } },
    { name: 'webgpu', options: { backend: 'webgpu' } },
  ];
  describe.each(devices.filter(({ options }) => testBackends.includes(options.backend)))(
    'on $name',
    ({ options }) => {
      let device: Device;
      beforeAll(async () => {
        device = await openDevice(options);
      });
      afterAll(() => device.destroy());

      it('keeps every bit, whatever lies in the storages of scores', async () => {
        for (const [graph, n] of [
          [attentionGraph(3, 5), 150],
          [attentionGraph(2, 70), 130],
          [grouped(), 81],
        ] as const) {
          for (const budget of ['100%', '60%', 'min']) {
            // What is allocated next lies where no number was left.
            const poison = device.upload(new Float32Array(2 ** 20).fill(Number.NaN), [2 ** 20]);
            poison.free();
            const planned = compile(graph, n, budget, options.backend);
            if (budget === '100%') expect(limits(planned.program.steps).length).toBeGreaterThan(0);
            expect((await comparePlan(planned, device)).failures).toEqual([]);
          }
        }
      });
    },
  );
});
