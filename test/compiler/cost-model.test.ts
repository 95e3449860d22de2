import { describe, expect, it } from 'vitest';
import { COST_MODELS } from '../../src/compiler/cost/cost-models/index.ts';
import { readCostModel } from '../../src/compiler/cost/read-cost-model.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { UserError } from '../../src/errors.ts';
import { mlpGraph } from '../support/graphs.ts';

const { webasm } = COST_MODELS;
const json = (change: object = {}): unknown => JSON.parse(JSON.stringify({ ...webasm, ...change }));

const messageOf = (model: unknown): string => {
  try {
    readCostModel(model, 'model.json');
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'accepted';
};

describe('readCostModel', () => {
  it.each(Object.entries(COST_MODELS))('accepts what is shipped for %s, through JSON', (backend, model) => {
    expect(readCostModel(JSON.parse(JSON.stringify(model)))).toEqual(model);
    expect(model.backend).toBe(backend);
  });

  it('leaves out what it does not know', () => {
    expect(readCostModel(json({ samples: { kernels: [] } }))).toEqual(webasm);
  });

  it('says everything that is wrong at once', () => {
    const { matmul: _, ...kernels } = webasm.kernels;
    const broken = json({
      backend: 'opencl',
      note: 7,
      kernels: { ...kernels, rows: { ...kernels.rows, flopsPerSecond: 0, halfElements: -1 } },
      weights: [1],
    });
    expect(messageOf(broken)).toMatchInlineSnapshot(`
      "model.json is not a cost model:
        backend: expected webgpu or webasm or cpu, got "opencl"
        note: expected a text, got 7
        kernels.matmul: expected an object, got nothing
        kernels.rows.flopsPerSecond: expected a positive number, got 0
        kernels.rows.halfElements: expected a number from 0 on, got -1
        weights: expected an object, got [1]
      Make one with \`autochunk tune --out FILE\`."
    `);
  });

  it.each([
    ['a list', []],
    ['nothing', null],
    ['a text', 'webasm'],
    ['another version', json({ version: 2 })],
    ['no version', {}],
    ['infinite rates', json({ weights: { ...webasm.weights, nodes: null } })],
    ['a fit that is none', json({ fit: 3 })],
  ])('refuses %s', (_, model) => {
    expect(messageOf(model)).toMatch(/^model\.json/);
    expect(messageOf(model)).toContain('autochunk tune');
  });
});

describe('PlanOptions.costModel', () => {
  const options = { dims: { N: 64 }, budget: { kind: 'share', share: 0.5 } } as const;

  it('is what predictions go by', () => {
    const slow = { ...webasm.kernels.matmul, flopsPerSecond: 1e6, bytesPerSecond: 1e6 };
    const costModel = { ...webasm, kernels: { ...webasm.kernels, matmul: slow } };
    const graph = mlpGraph(8, 64);
    const [usual, slower] = [webasm, costModel].map(
      (costModel) => plan(graph, { ...options, backend: 'webasm', costModel }).predictedSeconds,
    ) as [number, number];
    expect(slower).toBeGreaterThan(10 * usual);
  });

  it('must be of the backend', () => {
    expect(() => plan(mlpGraph(8, 64), { ...options, backend: 'cpu', costModel: webasm })).toThrow(
      /the cost model is of webasm .*, the plan is for cpu/,
    );
  });
});
