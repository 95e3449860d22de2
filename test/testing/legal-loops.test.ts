import { expect, it } from 'vitest';
import { plan } from '../../src/compiler/pipeline.ts';
import { causalMask, defineModel, f32, neg } from '../../src/index.ts';
import { legalLoops } from '../../src/testing/index.ts';
import { trace } from '../../src/trace/tracer.ts';

it('reports on loops three deep whose bodies depend on the position of every loop around', () => {
  const model = defineModel('masked', { x: f32(2, 'N', 2) }, ({ x }) => ({ y: neg(causalMask(x)) }));
  const { loops } = plan(trace(model), {
    dims: { N: 2 },
    budget: { kind: 'min' },
    backend: 'cpu',
    choose: (graph) =>
      legalLoops(graph, [
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
      ]),
  });
  expect(loops.map(({ depth, over, chunkSize }) => [depth, over, chunkSize])).toMatchInlineSnapshot(`
    [
      [
        0,
        "axis of 2",
        1,
      ],
      [
        1,
        "N",
        1,
      ],
      [
        2,
        "axis of 2",
        1,
      ],
    ]
  `);
});
