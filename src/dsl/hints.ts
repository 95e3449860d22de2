import type { Hints } from '../ir/node.ts';
import { recorder } from '../trace/recorder.ts';
import type { Tensor } from './tensor.ts';

/** Keeps the op that made `x`, or every op recorded by the function, out of all chunk loops. Returns `x` or the result. */
export function noChunk<T extends Tensor>(x: T): T;
export function noChunk<T>(body: () => T): T;
export function noChunk(target: Tensor | (() => unknown)): unknown {
  if (typeof target === 'function') return hinted('noChunk', { noChunk: true }, target);
  recorder('noChunk').hint('noChunk', target, { noChunk: true });
  return target;
}

/** Prefers loops over the named dimension for every op recorded by `body`. */
export const preferChunk = <T>(dim: string, body: () => T): T =>
  hinted('preferChunk', { preferChunk: dim }, body);

/** Names a region: the compiler tries the ops recorded by `body` as one chunk region before any other. */
export const region = <T>(name: string, body: () => T): T => hinted('region', { region: name }, body);

const hinted = <T>(what: string, hints: Hints, body: () => T): T => recorder(what).hinted(hints, body);
