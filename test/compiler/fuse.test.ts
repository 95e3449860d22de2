import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileGraph, planGraph, unchunkedPlan } from '../../src/compile.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { fuse } from '../../src/compiler/passes/fuse.ts';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { UserError } from '../../src/errors.ts';
import type { Graph, OpNode } from '../../src/ir/node.ts';
import { parseGraph } from '../../src/ir/parse.ts';
import { printGraph, printNode } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { type Device, openDevice } from '../../src/runtime/index.ts';
import { runPlan } from '../../src/testing/compare.ts';
import { programs, randomData } from '../../src/testing/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import { testBackends } from '../support/backends.ts';
import { GraphBuilder } from '../support/graphs.ts';

/** The nodes after the pass, one a line, verified. */
function fused(graph: Graph): string {
  const result = fuse(graph);
  verify(result);
  return result.nodes.map(printNode).join('\n');
}

const formulasIn = (graph: Graph): string[] =>
  fuse(graph).nodes.flatMap((node) =>
    node.kind === 'op' && node.op === 'fused' ? [(node.attrs.formula as { text: string }).text] : [],
  );

describe('fuse', () => {
  it('makes one op of a chain, named after its last part, that knows its lines', () => {
    const b = new GraphBuilder('gate');
    const x = b.input('x', ['N', 4]);
    const y = b.scope('gate', () => {
      const gate = b.op('gate', 'sigmoid', [b.op('sum', 'add', [x, b.param('bias', [4])])]);
      return b.op('y', 'mul', [gate, b.op('half', 'mulScalar', [x], { value: 0.5 })]);
    });
    const graph = b.build({ y });
    const result = fuse(graph);
    verify(result);
    expect(result.nodes.map(printNode)).toMatchInlineSnapshot(`
      [
        "y: f32[N, 4] = fused(x, bias) {formula: text "sigmoid(a + b) * (a * 0.5)"} in "gate" at "model.ts":4:1 parts [sum in "gate" at "model.ts":1:1, gate in "gate" at "model.ts":2:1, half in "gate" at "model.ts":3:1]",
      ]
    `);
    expect(parseGraph(printGraph(result))).toEqual(result);
  });

  it('leaves values apart that others read, that are outputs, of another shape or scope, or hinted at differently', () => {
    const b = new GraphBuilder('apart');
    const x = b.input('x', ['N', 4]);
    const twice = b.op('twice', 'exp', [x]);
    const output = b.op('output', 'neg', [b.op('left', 'sqrt', [twice])]);
    const row = b.op('row', 'exp', [b.input('r', [4])]);
    const wide = b.op('wide', 'add', [twice, row]);
    const whole = b.hinted({ noChunk: true }, () => b.op('whole', 'tanh', [wide]));
    const layer = b.op('residual', 'add', [x, b.scope('layer', () => b.op('layer', 'relu', [x]))]);
    expect(
      fused(b.build({ output, square: b.op('square', 'mul', [output, output]), whole, layer })),
    ).toMatchInlineSnapshot(`
      "twice: f32[N, 4] = exp(x) at "model.ts":1:1
      output: f32[N, 4] = fused(twice) {formula: text "-sqrt(a)"} at "model.ts":3:1 parts [left at "model.ts":2:1]
      row: f32[4] = exp(r) at "model.ts":4:1
      wide: f32[N, 4] = add(twice, row) at "model.ts":5:1
      whole: f32[N, 4] = tanh(wide) at "model.ts":6:1 hints {noChunk: true}
      layer: f32[N, 4] = relu(x) in "layer" at "model.ts":7:1
      residual: f32[N, 4] = add(x, layer) at "model.ts":8:1
      square: f32[N, 4] = mul(output, output) at "model.ts":9:1"
    `);
  });

  it('keeps an operand for longer only where the result is written over it', () => {
    const gated = (early: (b: GraphBuilder, a: string, b2: string) => string): string[] => {
      const b = new GraphBuilder('order');
      const x = b.input('x', ['N', 8]);
      const w = b.param('w', [8, 8]);
      const first = b.op('first', 'linear', [x, w]);
      const second = b.op('second', 'linear', [first, w]);
      const third = b.op('third', 'linear', [second, w]);
      const value = early(b, second, third);
      const last = b.op('last', 'linear', [x, w]);
      return formulasIn(b.build({ y: b.op('y', 'mul', [value, last]) }));
    };
    expect(gated((b, _, third) => b.op('gate', 'silu', [third]))).toEqual(['silu(a) * b']);
    expect(gated((b, second, third) => b.op('sum', 'add', [second, third]))).toEqual([]);
    expect(gated((b, second, third) => b.op('f', 'exp', [b.op('sum', 'add', [second, third])]))).toEqual([
      'exp(a + b)',
    ]);
  });

  it('binds no more than seven operands and writes no more than a line', () => {
    const b = new GraphBuilder('long');
    const inputs = Array.from({ length: 12 }, (_, i) => b.input(`x${i}`, [3]));
    const sum = inputs.reduce((a, c) => b.op('sum', 'add', [a, c]));
    const roots = Array.from({ length: 30 }).reduce<string>((a) => b.op('root', 'sqrt', [a]), sum);
    const found = formulasIn(b.build({ roots }));
    expect(found[0]).toBe('a + b + c + d + e + f + g');
    expect(Math.max(...found.map((text) => text.length))).toBeLessThanOrEqual(72);
  });

  it('never raises the peak of random programs, in place or not', () => {
    let fewer = 0;
    fc.assert(
      fc.property(programs({ maxStatements: 24 }), ({ model, dims }) => {
        let graph: Graph;
        try {
          graph = simplify(specialise(trace(model), dims));
        } catch (error) {
          if (error instanceof UserError) return;
          throw error;
        }
        const result = fuse(graph);
        verify(result);
        fewer += graph.nodes.length - result.nodes.length;
        for (const inPlace of [true, false]) {
          const [before, after] = [graph, result].map(
            (one) => estimate(lower(one, {}, { inPlace })).peakBytes,
          );
          expect(after).toBeLessThanOrEqual(before as number);
        }
      }),
      { numRuns: 300 },
    );
    expect(fewer).toBeGreaterThan(100);
  });
});

describe('generated modules', () => {
  const graph = (): Graph => {
    const b = new GraphBuilder('layers');
    let x = b.input('x', ['N', 8]);
    for (const layer of [0, 1]) {
      const gate = b.op('gate', 'linear', [x, b.param(`g${layer}`, [8, 8])]);
      const up = b.op('up', 'linear', [x, b.param(`u${layer}`, [8, 8])]);
      x = b.op('siluMul', 'mul', [b.op('act', 'silu', [gate]), up]);
    }
    return b.build({ x });
  };

  it('name the kernel of a formula once', async () => {
    const { source } = await compileGraph(graph(), { dims: { N: 16 }, budget: '100%', backend: 'cpu' });
    expect(
      source
        .split('\n')
        .filter((line) => /siluMul|act/.test(line))
        .map((line) => line.trim()),
    ).toMatchInlineSnapshot(`
      [
        "*   activation peak   2 KiB (unchunked 2 KiB → 100.0 %)",
        "const siluMul_2 = k.formula('silu(a) * b');",
        "const siluMul = siluMul_2(gate, up, { into: gate });                          // f32[16, 8] in place of gate  model.ts:3,4",
        "const gate_1 = k.linear(siluMul, params.g1, { into: device.alloc([16, 8]) });  // f32[16, 8] · 512 B           model.ts:5",
        "const up_1 = k.linear(siluMul, params.u1, { into: device.alloc([16, 8]) });   // f32[16, 8] · 512 B ← peak    model.ts:6",
        "siluMul.free();",
        "const siluMul_1 = siluMul_2(gate_1, up_1, { into: gate_1 });                  // f32[16, 8] in place of gate_1  model.ts:7,8",
        "return { x: siluMul_1 };",
      ]
    `);
  });

  it('leave ops apart when asked to', async () => {
    const plan = planGraph(graph(), { dims: { N: 16 }, budget: '100%', backend: 'cpu', fuse: false });
    const ops = plan.graph.nodes.map((node) => (node as OpNode).op);
    expect(ops.filter((op) => op === 'silu')).toHaveLength(2);
    expect(ops).not.toContain('fused');
  });
});

/** Programs with a formula. Fewer on webgpu: every formula is a pipeline that the driver compiles. */
const RUNS = { cpu: 60, webasm: 40, webgpu: 10 } as const;

describe.each(testBackends)('fused programs on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend });
  });
  afterAll(() => device.destroy());

  it('have the bits of the same programs with every op by itself, chunked or not, and the planned peaks', async () => {
    await fc.assert(
      fc.asyncProperty(
        programs({ maxStatements: 16 }),
        fc.constantFrom('100%', '50%', 'min'),
        fc.nat(),
        async (program, budget, seed) => {
          const traced = trace(program.model);
          const options = { dims: program.dims, backend, splitReductions: false };
          let apart: ReturnType<typeof planGraph>;
          let together: ReturnType<typeof planGraph>;
          try {
            apart = planGraph(traced, { ...options, budget: '100%', fuse: false });
            together = planGraph(traced, { ...options, budget });
          } catch (error) {
            fc.pre(!(error instanceof UserError));
            throw error;
          }
          fc.pre(together.graph.nodes.some((node) => node.kind === 'op' && node.op === 'fused'));
          const plans = [unchunkedPlan(apart), unchunkedPlan(together), together];
          const data = randomData(apart.graph, seed);
          const outputs: unknown[] = [];
          for (const plan of plans) {
            const run = await runPlan(plan, device, data);
            outputs.push(run.outputs);
            expect(run.measuredPeakBytes).toBe(plan.planned.peakBytes);
          }
          expect(outputs[1], program.source).toEqual(outputs[0]);
          expect(outputs[2], program.source).toEqual(outputs[0]);
        },
      ),
      { numRuns: RUNS[backend] },
    );
  });
});
