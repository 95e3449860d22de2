import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const mainFile = join(root, 'dist', 'cli', 'main.js');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Builds dist where it is older than the sources. */
export function buildDist(): void {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'ensure.mjs')], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the build failed:\n${stderr}`);
}

/** A scratch folder outside the repository, removed after the file's tests, and the command line to run in it. */
export function useCli() {
  let worker: ChildProcess;
  let folder = '';
  beforeAll(async () => {
    buildDist();
    folder = mkdtempSync(join(tmpdir(), 'autochunk-cli-'));
    worker = fork(fileURLToPath(new URL('./worker.mjs', import.meta.url)), { execArgv: [] });
    await once(worker, 'message');
  });
  afterAll(() => {
    worker.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    get folder(): string {
      return folder;
    },
    path: (name: string): string => join(folder, name),
    write(name: string, content: string | Uint8Array): string {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      return path;
    },
    read: (name: string): string => readFileSync(join(folder, name), 'utf8'),
    async run(...argv: string[]): Promise<Ran> {
      const answer = once(worker, 'message');
      worker.send({ argv, cwd: folder });
      return (await answer)[0] as Ran;
    },
    /** A hash of every file's path and content: equal before and after means nothing changed. */
    snapshot: (): string => {
      const hash = createHash('sha256');
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath ?? entry.path, entry.name);
        hash.update(`${path}\0`).update(entry.isFile() ? readFileSync(path) : '');
      }
      return hash.digest('hex');
    },
  };
}

/** One attention block: small, and with something to chunk. */
export const ATTENTION = `import { add, defineModel, f32, gelu, matmul, nn, scope, softmax, transpose } from 'autochunk';

export const attention = defineModel('attention', { x: f32('N', 16) }, ({ x }) => {
  const q = nn.linear('q', x, 16);
  const key = nn.linear('k', x, 16);
  const v = nn.linear('v', x, 16);
  const scores = matmul(q, transpose(key, 0, 1));
  const weights = softmax(scores, -1);
  const context = matmul(weights, v);
  return { result: add(x, scope('mlp', () => gelu(nn.linear('up', context, 16)))) };
});
`;

/** Token ids, so that their range can be wrong. */
export const TOKENS = `import { defineModel, i32, nn } from 'autochunk';

export const first = defineModel('first', { tokens: i32('N') }, ({ tokens }) => nn.embedding('table', tokens, [10, 4]));
export const second = defineModel('second', { tokens: i32('N') }, ({ tokens }) => nn.embedding('table', tokens, [20, 4]));
export const notAModel = 1;
`;
