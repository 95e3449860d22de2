import { existsSync, readFileSync, statSync } from 'node:fs';
import nodeModule from 'node:module';
import { relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { UserError } from '../errors.ts';

const EXTENSION = /\.[cm]?[jt]s$/;
let ready = false;

/** Makes `import()` understand TypeScript, resolve this package to itself and keep source locations. Once a process. */
async function prepare(): Promise<void> {
  if (ready) return;
  ready = true;
  process.setSourceMapsEnabled(true);
  const { register } = await import('tsx/esm/api');
  // Without the project's tsconfig: its `paths` must not point a model at other copies of this package.
  register({ tsconfig: false });
  nodeModule.register('./resolve-hooks.js', import.meta.url, { data: ownEntryPoints() });
}

/** `autochunk/runtime` → the address of the file, for every entry point of package.json. */
function ownEntryPoints(): Record<string, string> {
  const manifest = new URL('../../package.json', import.meta.url);
  const { name, exports } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    name: string;
    exports: Record<string, string | { default: string }>;
  };
  return Object.fromEntries(
    Object.entries(exports).map(([key, target]) => [
      name + key.slice(1),
      new URL(typeof target === 'string' ? target : target.default, manifest).href,
    ]),
  );
}

/** Splits `path/to/model.ts#export`. A file whose own name has a `#` is found too. */
export function splitReference(reference: string): { file: string; exportName: string | undefined } {
  const hash = reference.lastIndexOf('#');
  if (hash < 0 || existsSync(reference)) return { file: reference, exportName: undefined };
  return { file: reference.slice(0, hash), exportName: reference.slice(hash + 1) };
}

/** The path as people write it: relative to the working directory, with forward slashes. */
export const displayPath = (file: string): string =>
  relative(process.cwd(), resolve(file)).split(sep).join('/');

/** @throws UserError (bad usage) when `file` is not a TypeScript or JavaScript file that exists. */
export function checkModuleFile(file: string): void {
  if (!existsSync(file)) throw new UserError(`there is no file ${file}`, { exitCode: 2 });
  if (!statSync(file).isFile())
    throw new UserError(`${file} is a folder, expected a model file`, { exitCode: 2 });
  if (!EXTENSION.test(file)) {
    throw new UserError(`${file} is not a module: expected a .ts, .mts, .js or .mjs file`, { exitCode: 2 });
  }
}

/**
 * Imports a user's module, TypeScript included.
 *
 * @throws UserError with the location when the file does not parse, an import is missing or its top level throws.
 */
export async function importModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  checkModuleFile(file);
  await prepare();
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (cause) {
    throw new UserError(`${displayPath(file)} cannot be loaded: ${describe(cause)}`, { cause });
  }
}

/** A thrown value with the first place in the user's own files that its stack names. */
export function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `it throws ${String(thrown)}`;
  const message = thrown.message.replaceAll('file://', '').trim();
  const at = userLocation(thrown);
  return `${thrown.name === 'Error' ? '' : `${thrown.name}: `}${message}${at === undefined ? '' : `\n    at ${at}`}`;
}

/** `models/my.ts:12:7` of the first stack frame outside this package, node itself and node_modules. */
export function userLocation(error: Error): string | undefined {
  const home = fileURLToPath(new URL('..', import.meta.url));
  for (const line of (error.stack ?? '').split('\n')) {
    const match = /((?:file:\/\/)?\/[^()\s]*|[A-Za-z]:\\[^()]*):(\d+):(\d+)\)?$/.exec(line);
    if (!match) continue;
    const [, place = '', row, column] = match;
    const path = place.startsWith('file://') ? fileURLToPath(place) : place;
    if (path.startsWith(home) || path.includes(`${sep}node_modules${sep}`)) continue;
    return `${displayPath(path)}:${row}:${column}`;
  }
  return undefined;
}
