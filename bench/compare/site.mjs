/** A page with everything it needs, bundled by vite and served to this machine alone, in isolation, so that threads share memory. */
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';
import { build } from 'vite';

const HTML = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';
const TYPES = { html: 'text/html', js: 'text/javascript', mjs: 'text/javascript', wasm: 'application/wasm' };
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** The page's script and what it imports, by path. */
export async function bundlePage(root) {
  const { output } = await build({
    configFile: false,
    logLevel: 'silent',
    root,
    resolve: { alias: { 'autochunk/runtime': join(root, 'dist', 'runtime', 'index.js') } },
    build: {
      write: false,
      minify: false,
      rollupOptions: {
        input: join(root, 'bench', 'compare', 'page.mjs'),
        output: { entryFileNames: 'page.js', chunkFileNames: '[name]-[hash].js' },
        preserveEntrySignatures: 'strict',
      },
    },
  });
  return new Map(
    output.map((file) => [`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]),
  );
}

/**
 * Serves a bundle under `/` and folders under the prefixes that `folders` names (`/case/` → folder).
 *
 * @returns `{ url, close }`
 */
export async function serve(files, folders) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').split('?')[0]);
    const content = path === '/' ? HTML : files.get(path);
    const type = TYPES[path === '/' ? 'html' : path.split('.').at(-1)] ?? 'application/octet-stream';
    const send = (status) => response.writeHead(status, { 'content-type': type, ...ISOLATED });
    if (content !== undefined) return send(200).end(content);
    const [prefix, folder] = Object.entries(folders()).find(([start]) => path.startsWith(start)) ?? [];
    const inside = prefix === undefined ? undefined : normalize(path.slice(prefix.length));
    if (inside === undefined || inside.startsWith('..') || !existsSync(join(folder, inside)))
      return send(404).end();
    send(200);
    createReadStream(join(folder, inside)).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
