/**
 * Contestants of one case side by side in this process: every round runs each once, in an order that alternates. Prints JSON.
 * Argument: JSON of `{ folder, backend, contestants, rounds, patienceMs }`. The first contestant is what others are compared with.
 */
import { openContestant } from './contestants.mjs';

const { folder, backend, contestants, rounds, patienceMs } = JSON.parse(process.argv[2]);

/** Outputs are kept of the first run of each, for comparison. */
const entries = [];
for (const name of contestants) {
  const entry = { name, about: null, ms: [], cpuMs: [], error: null };
  entries.push(entry);
  process.stderr.write(`  ${name}: first run\n`);
  try {
    entry.contestant = await openContestant(name, folder, backend);
    entry.about = entry.contestant.about;
    await runOnce(entry, (outputs) => {
      entry.outputs = outputs;
    });
    entry.firstMs = entry.ms.pop();
    entry.cpuMs.pop();
  } catch (error) {
    entry.error = String(error?.message ?? error)
      .split('\n')[0]
      .slice(0, 300);
  }
}
const [reference] = entries;
for (const entry of entries) {
  if (entry.outputs) Object.assign(entry, compare(reference.outputs, entry.outputs));
  // One that is much slower than the others has its first run timed, which includes what libraries prepare then.
  if (entry.firstMs > patienceMs) entry.ms.push(entry.firstMs);
}
const patient = entries.filter(({ error, firstMs }) => error === null && firstMs <= patienceMs);
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`  round ${round + 1} of ${rounds}\n`);
  for (const entry of round % 2 === 0 ? patient : [...patient].reverse()) await runOnce(entry);
}
const told = entries.map(({ contestant, outputs, ...entry }) => entry);
process.stdout.write(JSON.stringify(told), () => process.exit(0));

async function runOnce(entry, keep = () => {}) {
  const before = process.cpuUsage();
  const started = performance.now();
  const outputs = await entry.contestant.run();
  entry.ms.push(performance.now() - started);
  const { user, system } = process.cpuUsage(before);
  entry.cpuMs.push((user + system) / 1000);
  keep(outputs);
}

/** The largest difference of two elements, and the largest magnitude there is. */
function compare(expected, got) {
  let maxAbsDiff = 0;
  let magnitude = 0;
  for (const [name, values] of Object.entries(expected)) {
    if (got[name]?.length !== values.length)
      return { error: `${name}: expected ${values.length} elements, got ${got[name]?.length}` };
    for (let i = 0; i < values.length; i++) {
      const difference = Math.abs(values[i] - got[name][i]);
      if (!(difference <= maxAbsDiff)) maxAbsDiff = difference;
      magnitude = Math.max(magnitude, Math.abs(values[i]));
    }
  }
  return { maxAbsDiff, magnitude };
}
