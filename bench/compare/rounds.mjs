/** Before a run: threads of the library that ran before may still spin for their next job, and take a core from this one. */
const REST_MS = 100;

/**
 * Contestants of one case side by side: after a first run each, every round runs each once, in an order that alternates. The first
 * contestant is what the outputs of the others are compared with.
 *
 * @param open opens a contestant by its name
 * @param settings `rounds`; `patienceMs`: one whose first run takes longer is not run again, and that run counts; `cpuMs`: processor
 *   time of the process so far, where it can be known; `tell`: of progress
 * @returns an entry for each: `name`, `about`, `firstMs`, `ms` and `cpuMs` of the rounds, `maxAbsDiff`, `magnitude`, `error`
 */
export async function alternate(open, names, { rounds, patienceMs, cpuMs, tell }) {
  const entries = [];
  const contestants = new Map();
  const runOnce = async (entry) => {
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const before = cpuMs?.();
    const started = performance.now();
    const outputs = await contestants.get(entry.name).run();
    entry.ms.push(performance.now() - started);
    if (cpuMs) entry.cpuMs.push(cpuMs() - before);
    return outputs;
  };
  let reference;
  for (const name of names) {
    const entry = { name, about: null, firstMs: null, ms: [], cpuMs: [], error: null };
    entries.push(entry);
    tell(`${name}: first run`);
    try {
      contestants.set(name, await open(name));
      entry.about = contestants.get(name).about;
      const outputs = await runOnce(entry);
      entry.firstMs = entry.ms[0];
      reference ??= outputs;
      Object.assign(entry, compare(reference, outputs));
      if (entry.firstMs <= patienceMs) {
        entry.ms = [];
        entry.cpuMs = [];
      }
    } catch (error) {
      // Messages name files of where a library was built.
      entry.error = String(error?.message ?? error)
        .replaceAll(/(?:\/[\w.@-]+)+\/(?=[\w.@-]+\.h)/g, '')
        .split('\n')[0]
        .slice(0, 300);
    }
    if (entry.error !== null && entry === entries[0]) return { entries, contestants };
  }
  const patient = entries.filter(({ error, ms }) => error === null && ms.length === 0);
  for (let round = 0; round < rounds; round++) {
    tell(`round ${round + 1} of ${rounds}`);
    for (const entry of round % 2 === 0 ? patient : [...patient].reverse()) await runOnce(entry);
  }
  return { entries, contestants };
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
      // NaN is a difference, too.
      if (!(difference <= maxAbsDiff))
        maxAbsDiff = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
      magnitude = Math.max(magnitude, Math.abs(values[i]));
    }
  }
  return { maxAbsDiff, magnitude };
}
