/**
 * One contestant alone in this process: what it takes from the system. Prints JSON.
 * Argument: JSON of `{ folder, backend, contestant }`.
 */
import { watchWebAssembly } from './watch-webassembly.mjs';

const webAssemblyBytes = watchWebAssembly();
const { openContestant } = await import('./contestants.mjs');
const { folder, backend, contestant: name } = JSON.parse(process.argv[2]);

const contestant = await openContestant(name, folder, backend);
const before = webAssemblyBytes();
const peakBytes = contestant.peakBytes ? await contestant.peakBytes() : null;
if (peakBytes === null) await contestant.run();
const result = {
  // The most that the process ever had resident.
  residentBytes: process.resourceUsage().maxRSS * 1024,
  webAssemblyBytes: webAssemblyBytes(),
  webAssemblyGrowthBytes: webAssemblyBytes() - before,
  peakBytes,
};
process.stdout.write(JSON.stringify(result), () => process.exit(0));
