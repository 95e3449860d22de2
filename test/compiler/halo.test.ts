import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimate } from '../../src/compiler/estimate.ts';
import { lower } from '../../src/compiler/lower.ts';
import { type Choice, placeLoops, sketchLoops } from '../../src/compiler/region.ts';
import { analyse } from '../../src/compiler/state.ts';
import type { Graph, LoopNode } from '../../src/ir/node.ts';
import { parseGraph } from '../../src/ir/parse.ts';
import { printGraph } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { legalLoops } from '../../src/testing/legal-loops.ts';
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
});
