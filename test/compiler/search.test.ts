import { describe, expect, it } from 'vitest';
import { indexGraph } from '../../src/compiler/graph/graph-index.ts';
import type { Region } from '../../src/compiler/loops/region.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { type Rejection, searchRegions } from '../../src/compiler/search/search.ts';
import type { Graph } from '../../src/ir/node.ts';
import { attentionGraph, GraphBuilder, gptGraph } from '../support/graphs.ts';

function search(graph: Graph, peak: string): { regions: string[]; rejections: string[] } {
  const index = indexGraph(graph);
  const rejections = new Set<string>();
  const note = ({ node, rule, message }: Rejection): void =>
    void rejections.add(`${rule} at ${node}: ${message}`);
  const found = searchRegions(index, index.definedAt.get(peak) as number, { window: 40, onRejection: note });
  return { regions: found.map(show), rejections: [...rejections] };
}

const show = ({ cuts, extent }: Region): string =>
  `${extent}: ${[...cuts].map(([id, { multiple, ...cut }]) => `${id}/${'axis' in cut ? cut.axis : cut.contracts}${multiple === 1 ? '' : `×${multiple}`}`).join(' ')}`;

describe('search', () => {
  it('finds the regions of attention and says what stops the others', () => {
    expect(search(specialise(attentionGraph(), { N: 5 }), 'weights')).toMatchInlineSnapshot(`
      {
        "regions": [
          "2: weights/0",
          "2: masked/0 weights/0",
          "2: scores/0 masked/0 weights/0",
          "2: kT/0 scores/0 masked/0 weights/0",
          "5: weights/1",
          "5: masked/1 weights/1",
          "5: scores/1 masked/1 weights/1",
          "2: weights/0 context/0",
          "2: masked/0 weights/0 context/0",
          "2: scores/0 masked/0 weights/0 context/0",
          "2: kT/0 scores/0 masked/0 weights/0 context/0",
          "5: weights/1 context/1",
          "5: masked/1 weights/1 context/1",
          "5: scores/1 masked/1 weights/1 context/1",
        ],
        "rejections": [
          "basic at weights: every element along axis 2 needs the whole axis",
        ],
      }
    `);
  });

  it('cuts a merged axis in steps of the inner one', () => {
    const b = new GraphBuilder('heads');
    const x = b.input('x', ['N', 6]);
    const heads = b.op('heads', 'reshape', [b.op('y', 'exp', [x])], { shape: ['N', 3, 2] });
    const soft = b.op('soft', 'softmax', [heads], { axis: 2 });
    const graph = b.build({ merged: b.op('merged', 'reshape', [soft], { shape: ['N', 6] }) });
    expect(search(specialise(graph, { N: 4 }), 'soft').regions).toMatchInlineSnapshot(`
      [
        "4: soft/0",
        "4: heads/0 soft/0",
        "4: y/0 heads/0 soft/0",
        "3: soft/1",
        "3: heads/1 soft/1",
        "3: y/1×2 heads/1 soft/1",
        "4: soft/0 merged/0",
        "4: heads/0 soft/0 merged/0",
        "4: y/0 heads/0 soft/0 merged/0",
        "3: soft/1 merged/1×2",
        "3: heads/1 soft/1 merged/1×2",
        "3: y/1×2 heads/1 soft/1 merged/1×2",
      ]
    `);
  });

  it('never enters ops without pattern or nodes the author keeps whole', () => {
    const b = new GraphBuilder('barriers');
    const x = b.input('x', ['N', 2]);
    const y = b.hinted({ noChunk: true }, () => b.op('y', 'exp', [x]));
    const c = b.op('c', 'constant', [], { shape: [2], values: [1, 2] });
    const z = b.op('z', 'add', [y, c]);
    const graph = specialise(b.build({ z }), { N: 4 });
    expect(search(graph, 'y').regions).toEqual([]);
    expect(search(graph, 'c').regions).toEqual([]);
    expect(search(graph, 'z').regions).toMatchInlineSnapshot(`
      [
        "4: z/0",
        "2: z/1",
      ]
    `);
  });

  it('moves out of the loop what the flow needs whole, and joins what follows the cut', () => {
    const b = new GraphBuilder('join');
    const x = b.input('x', ['N', 2]);
    const y = b.op('y', 'exp', [x]);
    const side = b.op('side', 'neg', [y]);
    const mean = b.op('mean', 'mean', [x], { axis: 0, keepdims: true });
    const z = b.op('z', 'sub', [y, mean]);
    expect(search(specialise(b.build({ z, side }), { N: 4 }), 'y').regions).toMatchInlineSnapshot(`
      [
        "4: y/0",
        "2: y/1",
        "4: y/0 side/0",
        "2: y/1 side/1",
        "4: y/0 side/0 z/0",
        "4: y/0 z/0",
        "2: y/1 side/1 mean/1 z/1",
        "2: y/1 mean/1 z/1",
      ]
    `);
  });

  it('meets conflicting requirements by computing the value before the loop', () => {
    const b = new GraphBuilder('conflict');
    const x = b.input('x', ['N', 'N']);
    const y = b.op('y', 'exp', [x]);
    const z = b.op('z', 'matmul', [y, y]);
    const { regions, rejections } = search(specialise(b.build({ z }), { N: 4 }), 'z');
    expect(regions).toEqual(['4: z/0', '4: z/1']);
    expect(rejections).toEqual([]);
  });

  it('finds a whole GPT-2 block as one region', () => {
    const graph = specialise(gptGraph({ layers: 1, width: 8, heads: 2, vocabulary: 9 }), { N: 6 });
    const { regions } = search(graph, 'h0_weights');
    expect(
      regions.filter((region) => region.includes('h0_q_split/0') && region.includes('h0_out/0')).length,
    ).toBeGreaterThan(0);
  });
});
