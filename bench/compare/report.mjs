/** Tables of comparisons. */

const quantile = (values, q) => {
  const sorted = [...values].sort((a, b) => a - b);
  const place = q * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below + (above - below) * (place - Math.floor(place));
};
export const median = (values) => quantile(values, 0.5);

/** What the largest difference may be, as a share of the largest element: sums in another order, over three layers. */
const TOLERANCE = 1e-4;

/** Adds medians, and how many times as long as the first contestant each takes within a round. */
export function summarise(entries) {
  const [reference] = entries;
  return entries.map((entry) => {
    const timed = entry.error === null && entry.ms.length > 0;
    const paired = timed && entry.ms.length === reference.ms.length;
    const times = paired
      ? median(entry.ms.map((ms, round) => ms / reference.ms[round]))
      : timed
        ? entry.ms[0] / median(reference.ms)
        : null;
    return {
      ...entry,
      medianMs: timed ? median(entry.ms) : null,
      bestMs: timed ? Math.min(...entry.ms) : null,
      medianCpuMs: timed && entry.cpuMs.length > 0 ? median(entry.cpuMs) : null,
      timesReference: times,
      close: entry.maxAbsDiff === undefined ? null : entry.maxAbsDiff <= TOLERANCE * entry.magnitude,
    };
  });
}

/**
 * Promises of autochunk that a comparison breaks. A library that alone has other results is told of in its table; where none has the
 * results of autochunk, autochunk is wrong.
 */
export function faultsOf({ title, contestants }) {
  const isOwn = ({ name }) => name.startsWith('autochunk');
  const own = contestants
    .filter(isOwn)
    .flatMap(({ name, error, close, maxAbsDiff, peakBytes, plannedPeakBytes }) => [
      ...(error === null ? [] : [`${name}: ${error}`]),
      ...(close === false ? [`${name} differs by ${maxAbsDiff}`] : []),
      ...(error === null && peakBytes !== plannedPeakBytes
        ? [`${name}: planned ${plannedPeakBytes} bytes, measured ${peakBytes}`]
        : []),
    ]);
  const agrees = contestants.some((entry) => !isOwn(entry) && entry.close === true);
  const faults = agrees ? own : [...own, 'no other library has the same results'];
  return faults.map((fault) => `${title}: ${fault}`);
}

const ms = (value) => (value === null ? '—' : value < 10 ? value.toFixed(1) : value.toFixed(0));
const mib = (bytes) => (bytes === null || bytes === undefined ? '—' : (bytes / 2 ** 20).toFixed(0));

const difference = ({ maxAbsDiff, close }) => {
  if (maxAbsDiff === undefined) return '—';
  const text = maxAbsDiff === 0 ? 'none' : maxAbsDiff.toExponential(1);
  return close ? text : `${text}: WRONG`;
};

/** The lines of a table of one comparison. */
function comparisonTable({ contestants }, markdownTable) {
  return markdownTable(
    [
      '',
      'median ms',
      'best ms',
      '× autochunk',
      'processor ms',
      'peak MiB',
      'WebAssembly MiB',
      'resident MiB',
      'difference',
    ],
    contestants.map((entry) => [
      entry.name,
      ...(entry.error === null
        ? [
            `${ms(entry.medianMs)}${entry.firstMs === entry.medianMs ? ' (first run)' : ''}`,
            ms(entry.bestMs),
            entry.timesReference === null ? '—' : entry.timesReference.toFixed(2),
            ms(entry.medianCpuMs),
          ]
        : ['fails', '—', '—', '—']),
      mib(entry.peakBytes),
      mib(entry.alone?.webAssemblyGrowthBytes),
      mib(entry.alone?.residentBytes),
      difference(entry),
    ]),
  );
}

/** Why libraries fail, as they say it. */
function failures({ contestants }) {
  const failed = contestants.filter(({ error }) => error !== null);
  return failed.flatMap(({ name, error }) => [`${name} fails: \`${error}\``, '']);
}

/** The report as Markdown. */
export function comparisonPage(report, { describeMachine, markdownTable }) {
  const abouts = report.results.flatMap(({ contestants }) => contestants.map(({ about }) => about));
  const settings = [...new Set(abouts)].filter((about) => about !== null);
  return [
    `# ${report.title}`,
    '',
    `- date: ${report.date}`,
    `- command: \`${report.command}\``,
    `- machine: ${describeMachine(report.machine)}`,
    ...(report.note === null ? [] : [`- note: ${report.note}`]),
    ...settings.map((about) => `- ${about}`),
    '',
    `Every library gets the same graph, weights and inputs. Times: ${report.rounds} alternating rounds in one process after a first run that is`,
    `not counted, from inputs in memory to outputs in memory; libraries whose first run takes over ${report.patienceSeconds} s are not run again.`,
    '`× autochunk`: median over the rounds of the time divided by that of autochunk without loops. Peak: activations, where the library',
    'tells. WebAssembly: by how much its memories grow in the first run. Resident: the most that a process with this library alone had',
    'resident. Difference: the largest of two output elements to autochunk without loops.',
    '',
    ...report.results.flatMap((result) => [
      `## ${result.title}`,
      '',
      ...comparisonTable(result, markdownTable),
      '',
      ...failures(result),
    ]),
  ].join('\n');
}
