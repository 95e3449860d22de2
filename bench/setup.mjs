import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Is this the archive that `npm run bench:pack` makes? It has everything built and installed, and scripts as JavaScript. */
export const isPacked = existsSync(`${root}packed.json`);

// What whoever gave the command can mend is said without a stack.
process.on('uncaughtException', (error) => {
  if (String(error.code).startsWith('ERR_PARSE_ARGS_')) misused(error.message);
  const isTheirs = error.exitCode !== undefined;
  process.stderr.write(isTheirs ? `error: ${error.message}\n` : `${error.stack}\n`);
  process.exit(error.exitCode ?? 1);
});

/**
 * Makes the checkout usable, works in its folder from here on, and lets scripts import TypeScript.
 *
 * @param peers whether the libraries to compare with are needed
 */
export async function setUp({ peers = false } = {}) {
  process.chdir(root);
  if (isPacked) return;
  const { ensure } = await import('../scripts/ensure.mjs');
  await ensure();
  if (peers) (await import('./peers/install.mjs')).installPeers();
  const { register } = await import('tsx/esm/api');
  // The built library, as users have it: the paths of this repository's tsconfig would lead to the sources.
  register({ tsconfig: false });
}

/** Ends the process as commands do whose options are wrong. */
export function misused(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(2);
}

/** The value of an option that is a number of things. */
export function count(name, value, least = 1) {
  const number = Number(value);
  if (!(Number.isInteger(number) && number >= least))
    misused(`--${name}: expected an integer of at least ${least}, got "${value}"`);
  return number;
}

/** The `--size` of a benchmark, as in sizes.ts. */
export function checkSize(size) {
  if (!['quick', 'short', 'long'].includes(size))
    misused(`--size: expected quick, short or long, got "${size}"`);
}

/** The command as it was given, for reports. */
export function commandLine(script) {
  const options = process.argv.slice(2);
  return options.length === 0 ? `npm run ${script}` : `npm run ${script} -- ${options.join(' ')}`;
}

/** Where a report goes, without its ending: figures of webasm are those of record, a quick run leaves all of record alone. */
export function reportFile(name, backend, size) {
  const parts = [name, ...(backend === 'webasm' ? [] : [backend]), ...(size === 'quick' ? ['quick'] : [])];
  return `bench/results/${parts.join('-')}`;
}
