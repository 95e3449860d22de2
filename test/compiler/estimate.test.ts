import { describe, expect, it } from 'vitest';
import { placeLoops } from '../../src/compiler/loops/place-loops.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import type { Estimate } from '../../src/ir/plan.ts';
import { attentionGraph } from '../support/graphs.ts';

const show = ({ timeline, peakIndex, ...rest }: Estimate): object => ({
  ...rest,
  timeline: timeline.map(({ label, value, loops, liveBytes }, i) =>
    [i === peakIndex ? '>' : ' ', [...loops, label].join(' '), value, liveBytes].join(' '),
  ),
});

describe('estimate', () => {
  const graph = specialise(attentionGraph(), { N: 5 });

  it('shows the live bytes after every step', () => {
    expect(show(estimate(lower(graph)))).toMatchInlineSnapshot(`
      {
        "largestStorageBytes": 200,
        "liveAtPeak": [
          {
            "at": {
              "column": 1,
              "file": "model.ts",
              "line": 2,
            },
            "bytes": 200,
            "value": "scores",
          },
          {
            "at": {
              "column": 1,
              "file": "model.ts",
              "line": 5,
            },
            "bytes": 160,
            "value": "context",
          },
          {
            "bytes": 160,
            "value": "k",
          },
          {
            "bytes": 160,
            "value": "q",
          },
          {
            "bytes": 160,
            "value": "v",
          },
        ],
        "parameterBytes": 0,
        "peakBytes": 840,
        "timeline": [
          "  inputs  480",
          "  scores scores 680",
          "  scores scores 680",
          "  masked masked 680",
          "  weights weights_scratch 720",
          "  weights weights_scratch_2 760",
          "  weights weights 760",
          "  weights weights_scratch 720",
          "  weights weights_scratch_2 680",
          "> context context 840",
          "  context context 840",
          "  scores scores 640",
        ],
      }
    `);
  });

  it('shows loops by their first iteration', () => {
    const rows = { axis: 1, multiple: 1 };
    const cuts = new Map(['scores', 'masked', 'weights', 'context'].map((id) => [id, rows]));
    const chunked = placeLoops(graph, [{ region: { cuts, extent: 5 }, chunkSize: 2 }]);
    expect(show(estimate(lower(chunked)))).toMatchInlineSnapshot(`
      {
        "largestStorageBytes": 160,
        "liveAtPeak": [
          {
            "at": {
              "column": 1,
              "file": "model.ts",
              "line": 5,
            },
            "bytes": 160,
            "value": "context",
          },
          {
            "bytes": 160,
            "value": "k",
          },
          {
            "bytes": 160,
            "value": "q",
          },
          {
            "bytes": 160,
            "value": "v",
          },
          {
            "at": {
              "column": 1,
              "file": "model.ts",
              "line": 2,
            },
            "bytes": 80,
            "value": "scores",
          },
          {
            "at": {
              "column": 1,
              "file": "model.ts",
              "line": 4,
            },
            "bytes": 16,
            "value": "weights_scratch",
          },
          {
            "at": {
              "column": 1,
              "file": "model.ts",
              "line": 4,
            },
            "bytes": 16,
            "value": "weights_scratch_2",
          },
        ],
        "parameterBytes": 0,
        "peakBytes": 752,
        "timeline": [
          "  inputs  480",
          "  context context 640",
          "  loop1 scores scores 720",
          "  loop1 scores scores 720",
          "  loop1 masked masked 720",
          "  loop1 weights weights_scratch 736",
          "> loop1 weights weights_scratch_2 752",
          "  loop1 weights weights 752",
          "  loop1 weights weights_scratch 736",
          "  loop1 weights weights_scratch_2 720",
          "  loop1 context_chunk context_chunk 720",
          "  loop1 scores scores 640",
        ],
      }
    `);
  });

  it('takes the named dimensions of a program that was not specialised', () => {
    const { steps: _, ...symbolic } = lower(graph);
    const inputs = attentionGraph().inputs;
    expect(estimate({ ...symbolic, inputs, steps: [] }, { N: 7 }).peakBytes).toBe(3 * 2 * 7 * 4 * 4);
  });
});
