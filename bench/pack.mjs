#!/usr/bin/env node
/**
 * `npm run bench:pack`: one archive for Linux on x64 that runs the benchmarks on a machine with nothing but a Vulkan driver: Node,
 * Dawn, the built library, the models, the libraries to compare with. Writes generated/autochunk-bench-linux-x64.tar.gz.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { copyPackages } from './pack/copy-packages.mjs';
import { root, setUp } from './setup.mjs';

const NAME = 'autochunk-bench-linux-x64';
/** What an archive may weigh. */
const MOST_BYTES = 60 * 2 ** 20;
/** What the scripts of the archive run; found beside Node where a machine lacks them. */
const LIBRARIES = ['libstdc++.so.6', 'libgcc_s.so.1'];

if (process.platform !== 'linux' || process.arch !== 'x64') {
  process.stderr.write('error: the archive holds the Node and the Dawn of Linux on x64, and is made there\n');
  process.exit(1);
}
await setUp({ peers: true });
mkdirSync('generated', { recursive: true });
const folder = mkdtempSync(join(root, 'generated', '.pack-'));
try {
  const pack = join(folder, NAME);
  copyNode(pack);
  copyBenchmark(join(pack, 'benchmark'));
  for (const file of ['run.sh', 'README.md']) copyFileSync(join('bench', 'pack', file), join(pack, file));
  chmodSync(join(pack, 'run.sh'), 0o755);
  const archive = join(folder, `${NAME}.tar.gz`);
  run('tar', ['--use-compress-program=gzip -9', '-cf', archive, '-C', folder, NAME]);
  const { size } = statSync(archive);
  const mebibytes = (size / 2 ** 20).toFixed(1);
  if (size > MOST_BYTES)
    throw new Error(`the archive is ${mebibytes} MiB, more than ${MOST_BYTES / 2 ** 20} MiB`);
  renameSync(archive, join('generated', `${NAME}.tar.gz`));
  process.stdout.write(`generated/${NAME}.tar.gz  ${mebibytes} MiB\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** This Node without symbols, and libraries of the system for machines that have none. */
function copyNode(pack) {
  mkdirSync(join(pack, 'bin'), { recursive: true });
  mkdirSync(join(pack, 'lib'));
  const node = join(pack, 'bin', 'node');
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  // Without binutils it stays as it is.
  spawnSync('strip', [node]);
  const linked = run('ldd', [process.execPath]);
  for (const library of LIBRARIES) {
    const found = new RegExp(`${library.replaceAll('+', '\\+')} => (\\S+)`).exec(linked)?.[1];
    if (found !== undefined) copyFileSync(found, join(pack, 'lib', library));
  }
}

/** The checkout as far as the benchmark needs it, as JavaScript. */
function copyBenchmark(to) {
  const tsconfig = join(folder, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    allowJs: true,
    noCheck: true,
    declaration: false,
    sourceMap: false,
    outDir: to,
    rootDir: root,
    paths: {},
    typeRoots: [join(root, 'node_modules', '@types')],
    types: ['node'],
  };
  const sources = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions,
    include: [join(root, 'bench'), join(root, 'models')],
    exclude: [join(root, 'bench', 'peers', 'node_modules'), join(root, 'bench', 'pack')],
  };
  writeFileSync(tsconfig, JSON.stringify(sources));
  run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', tsconfig]);
  cpSync('dist', join(to, 'dist'), { recursive: true, filter: (path) => !/\.(map|d\.ts)$/.test(path) });
  for (const file of ['package.json', 'LICENSE']) copyFileSync(file, join(to, file));
  writeFileSync(join(to, 'packed.json'), `${JSON.stringify({ commit: commit(), node: process.version })}\n`);
  const leftOut = ['tsx', 'commander', 'fast-check'];
  copyPackages('.', to, (name) => !leftOut.includes(name));
  copyPackages('bench/peers', join(to, 'bench', 'peers'), () => true);
}

/** The revision that is packed; the name of none outside a repository. */
function commit() {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

function run(command, args) {
  const { status, error, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 2],
  });
  if (status !== 0)
    throw new Error(`${command} failed${error ? `: ${error.message}` : ` (${stdout.slice(0, 400)})`}`);
  return stdout;
}
