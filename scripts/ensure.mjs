#!/usr/bin/env node
/**
 * Makes the checkout usable: installs dependencies when they are missing or stale, builds `dist` when it is missing or
 * older than the sources. Works as the first command on a bare Node 20 (node: builtins only); progress goes to stderr.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
/** Holds {@link sourceHash} of the sources that `dist` was built from. */
export const STAMP = '.sources';

/** `{build: true}` (the default) also builds `dist`. Ends the process with the tool's exit code when a step fails. */
export async function ensure({ build = true } = {}) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 11)) {
    fail(`Node 20.11 or newer is needed, this is ${process.versions.node}`, 1);
  }
  const stale = staleDependency();
  if (stale !== undefined) {
    step(`installing dependencies (${stale})`);
    // Dev dependencies build dist, so they are needed even where NODE_ENV=production would leave them out.
    const options = ['--include=dev', '--no-audit', '--no-fund'];
    if (npm(['ci', ...options]) !== 0) {
      step('npm ci failed; trying npm install');
      const code = npm(['install', ...options]);
      if (code !== 0) fail('dependencies could not be installed', code);
    }
  }
  if (build && readStamp() !== sourceHash()) {
    step('building dist');
    const code = run(process.execPath, [join(root, 'scripts', 'build.mjs')]);
    if (code !== 0) fail('the build failed', code);
  }
}

/** Why the installed packages are not those of package-lock.json; undefined when they are. */
function staleDependency() {
  const installed = readLock(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'first use';
  const wanted = readLock(join(root, 'package-lock.json'));
  if (wanted === undefined) return undefined;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link) continue;
    const have = installed[path];
    if (have === undefined ? !entry.optional && !entry.peer : have.version !== entry.version) {
      return `${path.replace(/^.*node_modules\//, '')} ${entry.version} is missing`;
    }
  }
  return undefined;
}

function readLock(path) {
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}

const readStamp = () => {
  const path = join(root, 'dist', STAMP);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
};

/** A hash of everything `dist` is made from: content, not dates, so that a checkout or a branch switch is seen. */
export function sourceHash() {
  const files = [
    join(root, 'tsconfig.json'),
    join(root, 'tsconfig.build.json'),
    join(root, 'package-lock.json'),
  ];
  for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) files.push(join(entry.parentPath ?? entry.path, entry.name));
  }
  const hash = createHash('sha256');
  for (const file of files.sort()) {
    if (existsSync(file))
      hash
        .update(`${relative(root, file)}\0`)
        .update(readFileSync(file))
        .update('\0');
  }
  return hash.digest('hex');
}

/** npm's own output goes to stderr: stdout belongs to the command that called us. */
const npm = (args) => run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args);

function run(command, args) {
  const shell = process.platform === 'win32' && command.endsWith('.cmd');
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell });
  if (error) fail(`${command}: ${error.message}`, 1);
  return status ?? 1;
}

const step = (message) => process.stderr.write(`autochunk: ${message}\n`);

function fail(message, code) {
  process.stderr.write(`autochunk: ${message}\n`);
  process.exit(code);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await ensure();
