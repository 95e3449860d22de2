/** Traces, plans and compiles models: the same program in Node and, bundled, in the browser. */
import {
  add,
  compileModel,
  defineModel,
  f32,
  gelu,
  generate,
  loadModule,
  type Model,
  matmul,
  nn,
  planGraph,
  scope,
  softmax,
  trace,
  transpose,
  unchunkedPlan,
} from 'autochunk';
import * as runtime from 'autochunk/runtime';

const OPTIONS = { dims: { N: 96 }, budget: '50%', splitReductions: false } as const;

export const attention = defineModel('attention', { x: f32('N', 16) }, ({ x }) => {
  const weights = softmax(matmul(nn.linear('q', x, 16), transpose(nn.linear('k', x, 16), 0, 1)), -1);
  const context = matmul(weights, nn.linear('v', x, 16));
  return {
    result: add(
      x,
      scope('mlp', () => gelu(nn.linear('up', context, 16))),
    ),
  };
});

/** What planning decided, without the names that are read from the author's source where there is one. */
export interface Planned {
  readonly nodes: readonly string[];
  readonly unchunkedPeakBytes: number;
  readonly plannedPeakBytes: number;
  readonly loops: readonly string[];
}

/** Traces `model` and plans it for N = 96 and half of its activation memory. */
export function planHalf(model: Model): Planned {
  const graph = trace(model);
  const plan = planGraph(graph, OPTIONS);
  return {
    nodes: graph.nodes.map((node) =>
      node.kind === 'op' ? `${node.op} [${node.shape}] in "${node.scope}"` : node.kind,
    ),
    unchunkedPeakBytes: plan.unchunked.peakBytes,
    plannedPeakBytes: plan.planned.peakBytes,
    loops: plan.loops.map(
      ({ path, over, extent, chunkSize, chunks, savesBytes }) =>
        `${path} ${over} ${extent} = ${chunks} × ${chunkSize}, saves ${savesBytes}`,
    ),
  };
}

/** Compiles, loads and runs the attention model where it is, both ways. */
export async function compileAndRun(): Promise<{ source: string; chunked: Ran; unchunked: Ran }> {
  const { plan, source } = await compileModel(attention, OPTIONS);
  return {
    source,
    chunked: await run(source),
    unchunked: await run(await generate(unchunkedPlan(plan))),
  };
}

interface Ran {
  readonly values: readonly number[];
  readonly plannedPeakBytes: number;
  readonly peakBytes: number;
}

async function run(source: string): Promise<Ran> {
  const { info, run } = await loadModule(source, runtime);
  const device = await runtime.openDevice({ backend: 'webasm' });
  try {
    const wave = (shape: readonly number[]): number[] =>
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 37) % 101) / 101 - 0.5);
    const x = device.upload(wave([96, 16]), [96, 16]);
    const params = Object.fromEntries(
      Object.entries(info.params).map(([id, { shape }]) => [id, device.parameter(wave(shape), shape)]),
    );
    const { result, peakBytes } = await runtime.measure(device, () => run(device, { x }, params));
    const values = [...(await device.read(result.result as runtime.Tensor))];
    return { values, plannedPeakBytes: info.plannedPeakBytes, peakBytes };
  } finally {
    await device.destroy();
  }
}
