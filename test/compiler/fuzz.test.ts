import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BudgetError } from '../../src/compiler/budget.ts';
import { placeLoops, sketchLoops } from '../../src/compiler/loops/place-loops.ts';
import type { Choice } from '../../src/compiler/loops/region.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { analyse } from '../../src/compiler/memory/state.ts';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { searchRegions } from '../../src/compiler/search/search.ts';
import { UserError } from '../../src/errors.ts';
import type { Attrs, Graph, ValueId } from '../../src/ir/node.ts';
import { ShapeError } from '../../src/ir/ops/op.ts';
import { verify } from '../../src/ir/verify.ts';
import { legalLoops } from '../../src/testing/legal-loops.ts';
import { GraphBuilder } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';
import { expectSameOutputs, splitsReductions } from '../support/same-outputs.ts';

/** The graph as the search sees it; undefined where it does not fit this N. */
function specialised(graph: Graph, n: number): Graph | undefined {
  try {
    return simplify(specialise(graph, graph.dims.length > 0 ? { N: n } : {}));
  } catch (error) {
    if (error instanceof UserError && error.message.includes('does not fit')) return undefined;
    throw error;
  }
}

/** Numbers that pick one op, its operands and its attributes; any list gives a valid graph. */
type Instruction = readonly number[];

const UNARY = ['neg', 'relu', 'sigmoid', 'tanh', 'copy'];
const BINARY = ['add', 'sub', 'mul', 'maximum', 'minimum'];

function randomGraph(instructions: readonly Instruction[], outputs: readonly number[]): Graph {
  const b = new GraphBuilder('random');
  const values: ValueId[] = [
    b.input('x', ['N', 6]),
    b.input('y', ['N', 2, 3]),
    b.param('w', [6, 6]),
    b.param('t', [4, 6]),
  ];
  const pick = (choice: number): ValueId =>
    values[values.length - 1 - (choice % Math.min(values.length, 7))] as ValueId;
  for (const [op = 0, first = 0, second = 0, detail = 0] of instructions) {
    const x = pick(first);
    const { shape } = b.type(x);
    const axis = detail % Math.max(1, shape.length);
    const swapped = shape.map((_, i) => (i === 0 ? axis : i === axis ? 0 : i));
    const attempts: [string, ValueId[], Attrs][] = [
      [UNARY[detail % UNARY.length] as string, [x], {}],
      [BINARY[detail % BINARY.length] as string, [x, pick(second)], {}],
      ['mulScalar', [x], { value: 0.5 }],
      ['softmax', [x], { axis }],
      ['sum', [x], { axis, keepdims: detail % 2 === 0 }],
      ['permute', [x], { axes: swapped }],
      ['matmul', [x, pick(second)], {}],
      ['linear', [x, 'w'], {}],
      ['causalMask', [x], {}],
      ['reshape', [x], { shape: ['N', 6] }],
      ['reshape', [x], { shape: ['N', 2, 3] }],
      ['reshape', [x], { shape: ['6*N'] }],
      ['slice', [x], { axis, start: 1, length: 2 }],
      ['concat', [x, pick(second)], { axis }],
      ['expand', [x], { shape: [2, ...shape] }],
      ['iota', [], { length: 'N' }],
      ['full', [], { shape: ['N', 6], value: 2 }],
      [
        'embedding',
        ['t', b.op('id', 'minimumScalar', [b.op('n', 'iota', [], { length: 'N' })], { value: 3 })],
        {},
      ],
    ];
    const [name, operands, attrs] = attempts[op % attempts.length] as [string, ValueId[], Attrs];
    try {
      const id = b.op('v', name, operands, attrs);
      const size = b.type(id).shape.reduce<number>((n, dim) => n * (typeof dim === 'number' ? dim : 8), 1);
      if (size <= 1500) values.push(id);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
    }
  }
  return b.build(Object.fromEntries(outputs.map((choice, i) => [`out${i}`, pick(choice)])));
}

const depthOf = ({ inner = [] }: Choice): number => 1 + Math.max(0, ...inner.map(depthOf));

describe('random graphs', () => {
  const instruction = fc.array(fc.nat({ max: 1000 }), { minLength: 4, maxLength: 4 });

  it('give the same values with and without loops, in exactly the planned memory', () => {
    let loops = 0;
    fc.assert(
      fc.property(
        fc.array(instruction, { minLength: 3, maxLength: 24 }),
        fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(0.4, 0.5, 0.6, 'min' as const, 'min' as const),
        (instructions, outputs, n, share) => {
          const graph = randomGraph(instructions, outputs);
          const dims = graph.dims.length > 0 ? { N: n } : {};
          const budget = share === 'min' ? ({ kind: 'min' } as const) : ({ kind: 'share', share } as const);
          try {
            const planned = plan(graph, { dims, budget, backend: 'cpu' });
            const data = randomData(planned.program);
            const whole = interpret(planned.unchunkedProgram, data);
            const chunked = interpret(planned.program, data);
            expectSameOutputs(chunked.outputs, whole.outputs, planned.graph);
            expect(whole.peakBytes).toBe(planned.unchunked.peakBytes);
            expect(chunked.peakBytes).toBe(planned.planned.peakBytes);
            expect(planned.planned.peakBytes).toBeLessThanOrEqual(planned.budgetBytes);
            loops += planned.loops.length;
          } catch (error) {
            const unfit = error instanceof UserError && error.message.includes('does not fit');
            if (!unfit && !(error instanceof BudgetError)) throw error;
          }
        },
      ),
      { numRuns: 600, seed: 20240 },
    );
    expect(loops).toBeGreaterThan(30);
  });

  it('give the same values whatever legal loops are put into the bodies of loops', () => {
    let nested = 0;
    let split = 0;
    let deeper = 0;
    fc.assert(
      fc.property(
        fc.array(instruction, { minLength: 3, maxLength: 24 }),
        fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 2, max: 9 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 2, maxLength: 6 }),
        (instructions, outputs, n, picks) => {
          const graph = specialised(randomGraph(instructions, outputs), n);
          if (!graph) return;
          const choices = legalLoops(graph, picks);
          nested += choices.filter(({ inner }) => inner).length;
          deeper += choices.filter((choice) => depthOf(choice) > 2).length;
          const placed = placeLoops(graph, choices);
          verify(placed);
          const program = lower(placed);
          const data = randomData(program);
          const chunked = interpret(program, data);
          expectSameOutputs(chunked.outputs, interpret(lower(graph), data).outputs, placed);
          if (splitsReductions(placed)) split++;
          expect(chunked.peakBytes).toBe(estimate(program).peakBytes);
          expect(analyse(sketchLoops(graph, choices), Number.POSITIVE_INFINITY).peak).toBe(chunked.peakBytes);
        },
      ),
      { numRuns: 300, seed: 815 },
    );
    expect(nested).toBeGreaterThan(100);
    expect(deeper).toBeGreaterThan(5);
    expect(split).toBeGreaterThan(5);
  });

  it('give the same values whatever legal regions become loops of whatever chunk size', () => {
    let loops = 0;
    let split = 0;
    fc.assert(
      fc.property(
        fc.array(instruction, { minLength: 3, maxLength: 24 }),
        fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }),
        (instructions, outputs, n, picks) => {
          const graph = specialised(randomGraph(instructions, outputs), n);
          if (!graph) return;
          const choices: Choice[] = [];
          for (const [at, which, size] of picks) {
            const state = analyse(sketchLoops(graph, choices), Number.POSITIVE_INFINITY);
            const position = at % Math.max(1, state.index.graph.nodes.length);
            if (state.index.graph.nodes[position]?.kind !== 'op') continue;
            const regions = searchRegions(state.index, position, { window: 30, splitReductions: true });
            const region = regions[which % Math.max(1, regions.length)];
            if (!region) continue;
            choices.push({ region, chunkSize: 1 + (size % (region.extent - 1)) });
          }
          loops += choices.length;
          const placed = placeLoops(graph, choices);
          verify(placed);
          const program = lower(placed);
          const data = randomData(program);
          const chunked = interpret(program, data);
          expectSameOutputs(chunked.outputs, interpret(lower(graph), data).outputs, placed);
          if (splitsReductions(placed)) split++;
          expect(chunked.peakBytes).toBe(estimate(program).peakBytes);
          expect(analyse(sketchLoops(graph, choices), Number.POSITIVE_INFINITY).peak).toBe(chunked.peakBytes);
        },
      ),
      { numRuns: 300, seed: 4711 },
    );
    expect(loops).toBeGreaterThan(200);
    expect(split).toBeGreaterThan(5);
  });
});
