import { cpSync, existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The files of large packages that are used in Node. Of others everything is copied that is no source map, type or text. */
const USED = {
  webgpu: [/^(index|package)\.js/, /^package\.json$/, /^LICENSE/, /^dist\/linux-x64/],
  'onnxruntime-web': [
    /^package\.json$/,
    /^LICENSE/,
    /^dist\/ort\.node\.min\.mjs$/,
    /^dist\/ort-wasm-simd-threaded\.(mjs|wasm)$/,
  ],
  '@tensorflow/tfjs-core': [/^package\.json$/, /^dist\/tf-core\.node\.js$/],
  '@tensorflow/tfjs-backend-cpu': [/^package\.json$/, /^dist\/tf-backend-cpu\.node\.js$/],
  '@tensorflow/tfjs-backend-wasm': [
    /^package\.json$/,
    /^dist\/tf-backend-wasm\.node\.js$/,
    /^dist\/[\w-]+\.wasm$/,
  ],
  '@tensorflow/tfjs-backend-webgpu': [/^package\.json$/, /^dist\/tf-backend-webgpu\.node\.js$/],
};
const UNUSED = /\.(map|d\.ts|d\.mts|d\.cts|md|flow)$/;

/**
 * Copies the packages that a folder's package.json depends on, and theirs, as they are installed. Optional ones are left out.
 *
 * @param wanted whether a direct dependency is copied
 */
export function copyPackages(from, to, wanted) {
  const { packages } = JSON.parse(readFileSync(join(from, 'package-lock.json'), 'utf8'));
  const found = new Set();
  const visit = (name, parents) => {
    // A package's own dependencies first, then those of the folders around it.
    const places = parents.map((_, i) =>
      [...parents.slice(0, parents.length - i), name].join('/node_modules/'),
    );
    const path = [...places, name]
      .map((place) => `node_modules/${place}`)
      .find((place) => packages[place] !== undefined);
    if (path === undefined || found.has(path)) return;
    if (!existsSync(join(from, path))) return;
    found.add(path);
    const chain = path.slice('node_modules/'.length).split('/node_modules/');
    for (const dependency of Object.keys(packages[path].dependencies ?? {})) visit(dependency, chain);
  };
  for (const name of Object.keys(packages[''].dependencies)) if (wanted(name)) visit(name, []);
  for (const path of found) {
    const name = path.split('node_modules/').at(-1);
    const base = join(from, path);
    const used = USED[name];
    cpSync(base, join(to, path), {
      recursive: true,
      filter(file) {
        const inside = file.slice(base.length + 1);
        if (inside === '') return true;
        if (inside.startsWith('node_modules')) return false;
        if (used === undefined) return !UNUSED.test(basename(file));
        return used.some((pattern) => pattern.test(inside)) || ['dist'].includes(inside);
      },
    });
  }
}
