/** What contestants need of a case, as files: each then runs in a process that loads nothing else. Needs TypeScript loading (tsx). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { generate, planGraph, trace, unchunkedPlan } from 'autochunk';
import { signatureOf } from '../../dist/cli/signature.js';
import { specialise } from '../../dist/compiler/specialise.js';
import { randomData } from '../../dist/testing/random.js';
import { encodeModel } from '../onnx/encode.ts';
import { exportGraph } from '../onnx/export-graph.ts';

const SEED = 1;

/**
 * Traces and compiles a case and writes what its contestants load. Returns autochunk's plans: `{ label, plannedPeakBytes }` each.
 */
export async function prepareCase({ model, dims, budgets }, backend, folder) {
  const traced = trace(model);
  const graph = specialise(traced, dims);
  const data = randomData(graph, SEED);
  const whole = unchunkedPlan(planGraph(traced, { dims, backend, budget: '100%' }));
  const plans = [
    { label: 'unchunked', plan: whole },
    ...budgets.map((budget) => ({ label: budget, plan: planGraph(traced, { dims, backend, budget }) })),
  ];
  for (const { label, plan } of plans) writeFileSync(join(folder, `${label}.ts`), await generate(plan));
  const names = {};
  for (const attention of ['ops', 'fused']) {
    const onnx = exportGraph(graph, data.params, { attention });
    names[attention] = onnx.outputs.map(({ name }) => name);
    writeFileSync(join(folder, `${attention}.onnx`), encodeModel(onnx));
  }
  const { name, inputs, params, nodes, outputs } = graph;
  const bare = { name, inputs, params, nodes: nodes.map(({ at, symbolic, ...node }) => node), outputs };
  writeFileSync(
    join(folder, 'case.bin'),
    serialize({ graph: bare, signature: signatureOf(whole.graph), data, names }),
  );
  return plans.map(({ label, plan }) => ({ label, plannedPeakBytes: plan.planned.peakBytes }));
}
