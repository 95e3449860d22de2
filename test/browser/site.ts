import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, createServer as createViteServer, type InlineConfig, type Rolldown } from 'vite';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const HTML = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/main.ts"></script>';

/** A user's project outside the repository, with autochunk as it is built in its node_modules. */
export interface Project {
  readonly folder: string;
  remove(): void;
}

/** `files`: path → text. `copies`: path → file or folder of the repository. `main.ts` is the page's script. */
export function makeProject(
  files: Readonly<Record<string, string>>,
  copies: Readonly<Record<string, string>>,
): Project {
  const folder = mkdtempSync(join(tmpdir(), 'autochunk-browser-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'autochunk'), 'junction');
  for (const [path, from] of Object.entries(copies))
    cpSync(join(root, from), join(folder, path), { recursive: true });
  for (const [path, text] of Object.entries({ 'index.html': HTML, ...files }))
    writeFileSync(join(folder, path), text);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

const config = ({ folder }: Project): InlineConfig => ({
  configFile: false,
  logLevel: 'silent',
  root: folder,
  cacheDir: join(folder, '.vite'),
});

export interface Bundle {
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /** What the page loads before anything asks for more. */
  readonly atStart: readonly Rolldown.OutputChunk[];
  readonly later: readonly Rolldown.OutputChunk[];
}

/** The project as its author would publish it. */
export async function bundle(project: Project): Promise<Bundle> {
  const result = await build({ ...config(project), build: { write: false, minify: true } });
  const { output } = result as Rolldown.RolldownOutput;
  const chunks = output.filter((file) => file.type === 'chunk');
  const files = new Map<string, string | Uint8Array>(
    output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : file.source]),
  );
  const start = new Set(chunks.filter((chunk) => chunk.isEntry).map((chunk) => chunk.fileName));
  for (const name of start)
    for (const next of chunks.find((chunk) => chunk.fileName === name)?.imports ?? []) start.add(next);
  return {
    files,
    atStart: chunks.filter((chunk) => start.has(chunk.fileName)),
    later: chunks.filter((chunk) => !start.has(chunk.fileName)),
  };
}

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = { html: 'text/html', js: 'text/javascript' };

/** What a page needs for memory that threads share. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
} as const;

/** Serves a bundle, and nothing else, to this machine; `isolated` lets its threads share memory. */
export const serveBundle = ({ files }: Bundle, isolated = false): Promise<Served> =>
  serve((request, response) => {
    const path = request.url === '/' ? 'index.html' : (request.url ?? '').slice(1);
    const content = files.get(path);
    const type = TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
    response.writeHead(content === undefined ? 404 : 200, {
      'content-type': type,
      ...(isolated ? ISOLATED : {}),
    });
    response.end(content);
  });

/** Serves the project as vite's development server does: every module for itself, nothing minified. */
export async function serveModules(project: Project): Promise<Served> {
  const vite = await createViteServer({
    ...config(project),
    // Never asked for by these pages, and slow to prepare.
    optimizeDeps: { exclude: ['ts-morph'] },
    server: { host: '127.0.0.1', port: 0, watch: null, fs: { allow: [project.folder, root] } },
  });
  await vite.listen();
  const [url] = vite.resolvedUrls?.local ?? [];
  if (url === undefined) throw new Error('the development server has no address');
  return { url, close: () => vite.close() };
}

async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
