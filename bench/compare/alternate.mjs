/**
 * Contestants of one case side by side in this process. Prints JSON.
 * Argument: JSON of `{ folder, backend, contestants, rounds, patienceMs }`.
 */
import { openContestant } from './contestants.mjs';
import { alternate } from './rounds.mjs';

const { folder, backend, contestants, rounds, patienceMs } = JSON.parse(process.argv[2]);
const { entries } = await alternate((name) => openContestant(name, folder, backend), contestants, {
  rounds,
  patienceMs,
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  tell: (text) => process.stderr.write(`  ${text}\n`),
});
process.stdout.write(JSON.stringify(entries), () => process.exit(0));
