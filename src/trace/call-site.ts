/**
 * Where the author's code called the library. Works in Node and browsers; where no source map or file system is at
 * hand, positions are those of the running code.
 */
import type { SourceLocation } from '../ir/node.ts';

/** A location with the file's full path, for reading its source. */
export interface CallSite extends SourceLocation {
  readonly path: string;
}

interface Position {
  readonly path: string;
  readonly line: number;
  readonly column: number;
}

/** The parts of Node that are used where they exist. */
interface NodeParts {
  readonly findSourceMap?: (path: string) =>
    | {
        findEntry(
          line: number,
          column: number,
        ): { originalSource?: string; originalLine?: number; originalColumn?: number };
      }
    | undefined;
  readonly relative?: (from: string, to: string) => string;
  readonly readFileSync?: (path: string, encoding: 'utf8') => string;
  readonly cwd?: () => string;
}

const node: NodeParts = nodeParts();

function nodeParts(): NodeParts {
  const builtin = globalThis.process?.getBuiltinModule;
  if (typeof builtin !== 'function') return {};
  const cwd = (): string => globalThis.process.cwd();
  return {
    findSourceMap: (path) => builtin('node:module').findSourceMap(path) as never,
    relative: builtin('node:path').relative,
    readFileSync: builtin('node:fs').readFileSync,
    cwd,
  };
}

const LIBRARY = libraryRoot();

/** The folder of the library's own code, whose frames are skipped: two levels above this file. */
function libraryRoot(): string {
  return pathOf(import.meta.url).replace(/\/trace\/[^/]*$/, '/');
}

/** File URLs become paths; query strings that loaders append disappear. */
function pathOf(file: string): string {
  const bare = file.replace(/[?#].*$/, '');
  return bare.startsWith('file://') ? decodeURIComponent(bare.slice('file://'.length)) : bare;
}

const known = new Map<string, CallSite>();

/** Frames of the library above its callers: mostly few, seldom as many as the second. */
const DEPTHS = [8, 30] as const;

/** The innermost frame on the stack that is not the library's; `undefined` when there is none. */
export function callSite(): CallSite | undefined {
  for (const depth of DEPTHS) {
    const site = callSiteWithin(depth);
    if (site) return site;
  }
  return undefined;
}

function callSiteWithin(depth: number): CallSite | undefined {
  const previous = Error.prepareStackTrace;
  const limit = Error.stackTraceLimit;
  let frame: NodeJS.CallSite | undefined;
  try {
    Error.stackTraceLimit = depth;
    Error.prepareStackTrace = (_error, frames) => {
      frame = frames.find((candidate) => isAuthors(candidate.getFileName()));
      return '';
    };
    void new Error().stack;
  } finally {
    Error.prepareStackTrace = previous;
    Error.stackTraceLimit = limit;
  }
  const file = frame?.getFileName();
  if (!frame || !file) return undefined;
  const line = frame.getLineNumber() ?? 1;
  const column = frame.getColumnNumber() ?? 1;
  const key = `${file}:${line}:${column}`;
  let site = known.get(key);
  if (!site) {
    site = locate({ path: pathOf(file), line, column }, frame, previous);
    known.set(key, site);
  }
  return site;
}

/** Where the author's code threw an error: the innermost frame of its stack that is not the library's. */
export function errorSite(error: unknown): CallSite | undefined {
  if (!(error instanceof Error) || !error.stack) return undefined;
  for (const line of error.stack.split('\n')) {
    const match = FRAME.exec(line);
    if (!match || !isAuthors(match[1])) continue;
    const path = pathOf(match[1] as string);
    return { path, file: relativeToCwd(path), line: Number(match[2]), column: Number(match[3]) };
  }
  return undefined;
}

/** `file:line:column` at the end of a printed stack frame. */
const FRAME = /\(?((?:file:\/\/|https?:\/\/|\/)[^\n()]*?):(\d+):(\d+)\)?\s*$/;

const authors = new Map<string, boolean>();

function isAuthors(file: string | null | undefined): boolean {
  if (!file || file.startsWith('node:')) return false;
  const known = authors.get(file) ?? !pathOf(file).startsWith(LIBRARY);
  authors.set(file, known);
  return known;
}

function locate(raw: Position, frame: NodeJS.CallSite, previous: typeof Error.prepareStackTrace): CallSite {
  const position = throughSourceMap(raw) ?? throughHost(raw, frame, previous) ?? raw;
  return { ...position, file: relativeToCwd(position.path) };
}

function throughSourceMap(raw: Position): Position | undefined {
  const entry = node.findSourceMap?.(raw.path)?.findEntry(raw.line - 1, raw.column - 1);
  if (entry?.originalLine === undefined || entry.originalColumn === undefined) return undefined;
  const source = entry.originalSource ? pathOf(entry.originalSource) : raw.path;
  return {
    path: source.startsWith('/') ? source : raw.path,
    line: entry.originalLine + 1,
    column: entry.originalColumn + 1,
  };
}

/** Hosts that transform code and map stacks themselves (test runners) do it in `prepareStackTrace`. */
function throughHost(
  raw: Position,
  frame: NodeJS.CallSite,
  previous: typeof Error.prepareStackTrace,
): Position | undefined {
  if (typeof previous !== 'function') return undefined;
  const text = String(previous(new Error('at'), [frame]));
  const match = FRAME.exec(text);
  if (!match) return undefined;
  const [, file, line, column] = match as unknown as [string, string, string, string];
  const path = pathOf(file);
  return path === raw.path ? { path, line: Number(line), column: Number(column) } : undefined;
}

function relativeToCwd(path: string): string {
  if (!node.relative || !node.cwd || !path.startsWith('/')) return path;
  return node.relative(node.cwd(), path) || path;
}

const files = new Map<string, readonly string[] | undefined>();

/** The lines of a source file, or `undefined` where it cannot be read. */
export function sourceLines(path: string): readonly string[] | undefined {
  if (!files.has(path)) {
    let lines: readonly string[] | undefined;
    try {
      lines = node.readFileSync?.(path, 'utf8').split(/\r?\n/);
    } catch {
      lines = undefined; // Names are a courtesy: without the source, values are named after their op.
    }
    files.set(path, lines);
  }
  return files.get(path);
}

/** `model.ts:41:12`. */
export const printSite = (site: SourceLocation): string => `${site.file}:${site.line}:${site.column}`;

/** Without the full path: what graphs keep. */
export const locationOf = ({ file, line, column }: CallSite): SourceLocation => ({ file, line, column });
