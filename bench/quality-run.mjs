/** A thread of quality.mjs: looks at one random program after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { trace } from 'autochunk';
import { openDevice } from 'autochunk/runtime';
import { programs } from 'autochunk/testing';
import fc from 'fast-check';
import { checkContract } from '../dist/testing/budget-contract.js';
import { distances } from '../dist/testing/distance.js';
import { printChoices } from '../dist/testing/print-choices.js';

const { seed, counts, maxNodes, maxStatements, most } = workerData;
const device = await openDevice({ backend: 'cpu' });

const draw = (constraints, numRuns) => fc.sample(programs(constraints), { numRuns, seed });
const small = draw({ maxStatements }, counts.small);
const subjects = { contract: draw({}, counts.contract), exact: small, split: small };
/** Of the budgets and the data of a program. */
const seedOf = (k) => (seed * 1_000_003 + k) >>> 0;

const outcome = ({ planner, best, above, budget }) => ({
  budget,
  above,
  planner: planner && { ...planner, choices: printChoices(planner.choices) },
  best: { ...best, choices: best.choices && printChoices(best.choices) },
});

function against({ model, dims }, k, splitReductions) {
  const options = { dims, backend: 'cpu', splitReductions, maxNodes, most, seed: seedOf(k) };
  const found = distances(trace(model), options);
  return found && { ...found, min: outcome(found.min), within: outcome(found.within) };
}

const checks = {
  contract: (program, k) => checkContract(program, device, seedOf(k)),
  exact: (program, k) => against(program, k, false),
  split: (program, k) => against(program, k, true),
};

parentPort.on('message', async ({ kind, k }) => {
  const program = subjects[kind][k];
  const result = await checks[kind](program, k);
  parentPort.postMessage({ kind, k, result, source: program.source });
});
