import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sharesOf } from '../../src/compiler/cost/cost.ts';
import { explain } from '../../src/compiler/explain.ts';
import { indexGraph } from '../../src/compiler/graph/graph-index.ts';
import { placeLoops, sketchLoops } from '../../src/compiler/loops/place-loops.ts';
import type { Choice, Region } from '../../src/compiler/loops/region.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { analyse } from '../../src/compiler/memory/state.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { type Rejection, searchRegions } from '../../src/compiler/search/search.ts';
import type { Cut } from '../../src/ir/flow.ts';
import type { Graph, LoopNode, OpNode } from '../../src/ir/node.ts';
import { parseGraph } from '../../src/ir/parse.ts';
import { printGraph } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { describeExplanation } from '../../src/report/explain.ts';
import { legalLoops } from '../../src/testing/legal-loops.ts';
import { GraphBuilder } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';
import { loopPicks, networks } from '../support/networks.ts';

const loopsOf = (graph: Graph): LoopNode[] =>
  graph.nodes.flatMap((node) => (node.kind === 'loop' ? [node, ...loopsOf(node.body)] : []));

describe('loops over the rows and columns of images', () => {
  it('compute every element as the whole image does, in exactly the planned memory', () => {
    let halos = 0;
    let nested = 0;
    fc.assert(
      fc.property(networks, loopPicks, (graph, numbers) => {
        const choices: Choice[] = legalLoops(graph, numbers);
        const placed = placeLoops(graph, choices);
        verify(placed);
        expect(parseGraph(printGraph(placed))).toEqual(placed);
        const loops = loopsOf(placed);
        halos += loops.filter((loop) => loop.halos.length > 0).length;
        nested += loops.filter((loop) => loop.body.nodes.some(({ kind }) => kind === 'loop')).length;
        const program = lower(placed);
        const data = randomData(program);
        const whole = interpret(lower(graph), data);
        const chunked = interpret(program, data);
        expect(chunked.outputs).toEqual(whole.outputs);
        const { peakBytes } = estimate(program);
        expect(chunked.peakBytes).toBe(peakBytes);
        expect(analyse(sketchLoops(graph, choices), Number.POSITIVE_INFINITY).peak).toBeGreaterThanOrEqual(
          peakBytes,
        );
      }),
      { numRuns: 1500, seed: 77 },
    );
    expect(halos).toBeGreaterThan(500);
    expect(nested).toBeGreaterThan(50);
  });

  const images = (size: number): Graph => {
    const b = new GraphBuilder('images');
    const x = b.input('x', [1, 8, size, size]);
    const window = { padding: [1, 1] };
    const wide = b.op('wide', 'conv2d', [x, b.param('w1', [16, 8, 3, 3])], window);
    const active = b.op('active', 'relu', [wide]);
    return b.build({ y: b.op('y', 'conv2d', [active, b.param('w2', [8, 16, 3, 3])], window) });
  };

  it('take next to nothing beside the image they read and the one they write', () => {
    const { planned, unchunked } = plan(images(512), { dims: {}, budget: { kind: 'min' }, backend: 'cpu' });
    const both = 2 * 8 * 512 * 512 * 4;
    expect(unchunked.peakBytes).toBe(2.5 * both);
    expect(planned.peakBytes).toBeLessThan(both + 1024);
  });

  it('have chunks so large that little is computed twice, where the budget allows it', () => {
    const { loops, predictedSlowdown } = plan(images(256), {
      dims: {},
      budget: { kind: 'share', share: 0.6 },
      backend: 'cpu',
    });
    expect(loops.map(({ chunks }) => chunks)).toEqual([3]);
    expect(predictedSlowdown).toBeLessThan(0.06);
  });

  it('are explained with their borders', () => {
    const explanation = explain(images(64), {
      dims: {},
      budget: { kind: 'share', share: 0.7 },
      backend: 'cpu',
    });
    expect(describeExplanation(explanation)).toMatch(
      /borders +1 before and 1 after every \d+ elements, 2 before and 2 after every \d+ elements/,
    );
  });

  it('count what they compute twice as work', () => {
    const cost = (size: number) => {
      const graph = images(32);
      const index = indexGraph(graph);
      const region = searchRegions(index, 1, { window: 5 }).find(
        ({ cuts }) => cuts.size === 3 && (cuts.get('y') as Cut).axis === 2,
      ) as Region;
      return graph.nodes.map((node, i) => sharesOf(region, size, index.types)(node as OpNode, i));
    };
    expect(cost(16)).toEqual([36 / 32, 36 / 32, 1]);
    expect(cost(1)).toEqual([3, 3, 1]);
  });

  it('are not cut where windows leave out what is needed elsewhere, and that is told', () => {
    const b = new GraphBuilder('sparse');
    const x = b.input('x', [1, 2, 9, 5]);
    const active = b.op('active', 'relu', [x]);
    const few = b.op('few', 'conv2d', [active, b.param('w', [2, 2, 1, 1])], { stride: [2, 2] });
    const graph = b.build({ few, active });
    const stops: Rejection[] = [];
    const regions = searchRegions(indexGraph(graph), 0, {
      window: 5,
      onRejection: (stop) => void stops.push(stop),
    });
    expect(regions.filter(({ cuts }) => cuts.has('few') && (cuts.get('few') as Cut).axis > 1)).toEqual([]);
    expect(stops).toContainEqual({
      node: 'active',
      rule: 'alignment',
      axis: 2,
      message: 'windows leave out elements of axis 2 that are needed outside the loop',
    });
  });
});
