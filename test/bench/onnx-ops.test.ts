import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../bench/onnx/encode.ts';
import { exportGraph } from '../../bench/onnx/export-graph.ts';
import type { Graph } from '../../src/ir/node.ts';
import { cases, describeCase, type OpCase } from '../ops/cases.ts';
import { drawCase } from '../ops/support.ts';

/** What of onnxruntime-web is used. */
interface Ort {
  readonly env: { readonly wasm: { numThreads: number }; logLevel: string };
  readonly Tensor: new (
    type: 'float32' | 'int32',
    data: Float32Array | Int32Array,
    shape: readonly number[],
  ) => object;
  readonly InferenceSession: {
    create(model: Uint8Array): Promise<{
      run(feeds: Record<string, object>): Promise<Record<string, { readonly data: ArrayLike<number> }>>;
      release(): Promise<void>;
    }>;
  };
}

const peers = fileURLToPath(new URL('../../bench/peers/package.json', import.meta.url));
const isInstalled = existsSync(fileURLToPath(new URL('../../bench/peers/node_modules', import.meta.url)));
const note = isInstalled ? '' : ' (skipped: npm ci in bench/peers installs onnxruntime-web)';

/** Ours alone: parts of split reductions, what only the compiler makes, and ops that none of the compared models has. */
const UNTRANSLATED = new Set([
  ...[
    'groupMoments',
    'layerMoments',
    'mergeMoments',
    'groupNormalise',
    'layerNormalise',
    'fused',
    'causalSoftmax',
    'convTranspose2d',
  ],
  ...['equal', 'less', 'lessEqual', 'greater', 'greaterEqual'],
  ...['equalScalar', 'lessScalar', 'lessEqualScalar', 'greaterScalar', 'greaterEqualScalar'],
]);
/** Sums in another order and approximations of other libraries; what is looked for are wrong axes, attributes and operands. */
const TOLERANCE = 1e-4;
const isOrdinary = (kind: unknown): boolean =>
  typeof kind !== 'string' || !/extreme|masked|equal/i.test(kind);
/** In bodies of loops, which are not translated. */
const leavesOut = ({ attrs }: OpCase): boolean =>
  Array.isArray(attrs.padding) && attrs.padding.some((side: unknown) => Number(side) < 0);
const tested = cases.filter(
  (test) =>
    !UNTRANSLATED.has(test.op) && !leavesOut(test) && test.operands.every(({ kind }) => isOrdinary(kind)),
);

describe.skipIf(!isInstalled)(`ops in onnxruntime-web give what their references do${note}`, () => {
  it.each(tested.map((test) => [describeCase(test), test] as const))('%s', async (_, test) => {
    const path = createRequire(peers).resolve('onnxruntime-web');
    const ort: Ort = (await import(/* @vite-ignore */ pathToFileURL(path).href)).default;
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
    const drawn = drawCase(test);
    const inputs = drawn.types.map(({ shape, dtype }, i) => ({ id: `x${i}`, shape, dtype }));
    const attrs = { ...drawn.def.defaults, ...drawn.attrs };
    const graph: Graph = {
      name: test.op,
      dims: [],
      inputs,
      params: [],
      nodes: [
        {
          kind: 'op',
          id: 'y',
          op: test.op,
          operands: inputs.map(({ id }) => id),
          attrs,
          scope: '',
          ...drawn.out,
        },
      ],
      outputs: [{ name: 'out', value: 'y' }],
    };
    const model = exportGraph(graph, {});
    const session = await ort.InferenceSession.create(encodeModel(model));
    const feeds = inputs.map(({ id, shape, dtype }, i) => {
      const data = drawn.operands[i]?.data as Float64Array;
      const tensor =
        dtype === 'i32'
          ? new ort.Tensor('int32', Int32Array.from(data), shape as number[])
          : new ort.Tensor('float32', Float32Array.from(data), shape as number[]);
      return [id, tensor] as const;
    });
    const results = await session.run(Object.fromEntries(feeds));
    const got = results.out?.data as ArrayLike<number>;
    await session.release();
    const want = drawn.def.reference(drawn.operands, attrs, drawn.shape);
    expect(got.length).toBe(want.length);
    const worst = Math.max(
      0,
      ...want.map((value, i) => Math.abs((got[i] as number) - value) / Math.max(1, Math.abs(value))),
    );
    expect(worst).toBeLessThan(TOLERANCE);
  });
});
