/** What contestants need of a case, as files: each then runs in a process that loads nothing else. Needs TypeScript loading (tsx). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate, planGraph, trace } from 'autochunk';
import { ts } from 'ts-morph';
import { specialise } from '../../dist/compiler/passes/specialise.js';
import { randomData } from '../../dist/testing/random.js';
import { encodeModel } from '../onnx/encode.ts';
import { exportGraph } from '../onnx/export-graph.ts';
import { encodeCase } from './case-files.mjs';
import { WITHOUT_LOOPS } from './plan-names.mjs';

const SEED = 1;

/**
 * Traces and compiles a case and writes what its contestants load: `case.json`, `data.bin`, `<plan>.js` for each plan of autochunk,
 * `ops.onnx` and `fused.onnx`. Returns autochunk's plans: `{ label, plannedPeakBytes }` each.
 */
export async function prepareCase({ model, dims, budgets }, backend, folder) {
  const traced = trace(model);
  const graph = specialise(traced, dims);
  const data = randomData(graph, SEED);
  const plans = [WITHOUT_LOOPS, ...budgets].map((label) => {
    const budget = label === WITHOUT_LOOPS ? '100%' : label;
    return { label, plan: planGraph(traced, { dims, backend, budget }) };
  });
  const write = (name, content) => writeFileSync(join(folder, name), content);
  for (const { label, plan } of plans) write(`${label}.js`, asCommonJs(await generate(plan)));
  const names = {};
  for (const attention of ['ops', 'fused']) {
    const onnx = exportGraph(graph, data.params, { attention });
    names[attention] = onnx.outputs.map(({ name }) => name);
    write(`${attention}.onnx`, encodeModel(onnx));
  }
  const { name, inputs, params, nodes, outputs } = graph;
  const bare = { name, inputs, params, nodes: nodes.map(({ at, symbolic, ...node }) => node), outputs };
  const { json, bytes } = encodeCase({ graph: bare, names, data });
  write('case.json', json);
  write('data.bin', bytes);
  return plans.map(({ label, plan }) => ({ label, plannedPeakBytes: plan.planned.peakBytes }));
}

/** Without types, for processes and pages that load no compiler. */
const asCommonJs = (source) =>
  ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  }).outputText;
