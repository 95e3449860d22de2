#!/usr/bin/env node
/**
 * `npm run bench` and `npm run bench:full`: the benchmarks one after another, each in a process of its own.
 * Arguments, in any order: `quick` (do they work?), `short` (minutes on two cores, the default) or `long` (everything), and backends.
 * In the archive of `npm run bench:pack`, `run.sh` runs this.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findChromium, NO_CHROMIUM } from './compare/chromium.mjs';
import { isPacked, misused, root, setUp } from './setup.mjs';

const SIZES = ['quick', 'short', 'long'];
const BACKENDS = ['webasm', 'webgpu'];
const given = process.argv.slice(2);
const unknown = given.filter((word) => ![...SIZES, ...BACKENDS].includes(word));
if (unknown.length > 0)
  misused(`expected any of ${[...SIZES, ...BACKENDS].join(', ')}, got "${unknown.join(' ')}"`);
const size = SIZES.find((name) => given.includes(name)) ?? 'short';
const chosen = BACKENDS.filter((name) => given.includes(name));

await setUp();
const { inspectBackend } = await import('autochunk/runtime');
const backends = [];
const software = new Set();
const failed = [];
for (const backend of chosen.length > 0 ? chosen : BACKENDS) {
  try {
    const found = await inspectBackend(backend);
    const { adapter } = found;
    if (found.software) software.add(backend);
    process.stdout.write(`${backend}: ${adapter}\n`);
    backends.push(backend);
  } catch (error) {
    process.stdout.write(`${backend} is not here: ${error.message}\n`);
    // One that was asked for by name has to be.
    if (chosen.length > 0) failed.push(backend);
  }
}

const rounds = { quick: '1', short: '5', long: '9' }[size];
for (const backend of backends) {
  const options = ['--backend', backend, '--size', size, '--rounds', rounds];
  run('figure5', size === 'quick' ? [...options, '--budget', '50%,min'] : options);
  run('peers', options);
}
if (isPacked || size === 'long') {
  const microRounds = { quick: '1', short: '15', long: '31' }[size];
  if (backends.includes('webasm')) run('micro', ['--rounds', microRounds]);
  // Of a software adapter they would take hours, and say nothing about GPUs.
  if (backends.includes('webgpu') && !software.has('webgpu')) {
    run('micro', ['--backend', 'webgpu', '--rounds', microRounds]);
    run('dispatch', []);
  }
}
if (!isPacked && size === 'long') {
  run('compile-time', []);
  run('resident', []);
  if (findChromium() === undefined) process.stdout.write(`\nnothing is run in a browser: ${NO_CHROMIUM}\n`);
  else run('browser', []);
}

if (isPacked) {
  const results = join(root, '..', 'results');
  mkdirSync(results, { recursive: true });
  cpSync('bench/results', results, { recursive: true });
  process.stdout.write(`\nreports are in ${results}\n`);
}
const summary =
  failed.length === 0 ? 'all benchmarks ran, all results are right' : `failed: ${failed.join(', ')}`;
process.stdout.write(`${summary}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

function run(script, options) {
  const name = [script, ...options].join(' ');
  process.stdout.write(`\n== ${name}\n`);
  const { status, signal } = spawnSync(process.execPath, [`bench/${script}.mjs`, ...options], {
    stdio: 'inherit',
  });
  if (status !== 0) failed.push(`${name} (${signal ?? `exit code ${status}`})`);
}
