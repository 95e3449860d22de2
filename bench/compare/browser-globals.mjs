import { resolveObjectURL } from 'node:buffer';
import { cpus } from 'node:os';
import { Worker as NodeWorker } from 'node:worker_threads';

/** What a worker's script finds in browsers. */
const WORKER_GLOBALS = `
import { parentPort } from 'node:worker_threads';
globalThis.self = globalThis;
globalThis.postMessage = (message) => parentPort.postMessage(message);
parentPort.on('message', (data) => globalThis.onmessage({ data }));
`;

/** A browser's `Worker` of a blob, as far as jax-js uses one. */
class BlobWorker {
  #worker;
  #started;

  constructor(url) {
    const blob = resolveObjectURL(url);
    this.#started = blob.text().then((source) => {
      const script = encodeURIComponent(WORKER_GLOBALS + source);
      this.#worker = new NodeWorker(new URL(`data:text/javascript,${script}`));
      this.#worker.on('message', (data) => this.onmessage?.({ data }));
      this.#worker.on('error', (error) => this.onerror?.(error));
    });
  }

  postMessage(message) {
    this.#started.then(() => this.#worker.postMessage(message));
  }
}

/**
 * Gives Node what jax-js expects of a browser: iterator helpers, where the engine has none yet, and workers.
 *
 * @returns the number of its threads
 */
export function fillInBrowserGlobals() {
  fillInIteratorHelpers();
  // Others define one too, which takes files alone.
  globalThis.Worker = BlobWorker;
  globalThis.navigator ??= {};
  const threads = cpus().length;
  if (globalThis.navigator.hardwareConcurrency === undefined)
    Object.defineProperty(globalThis.navigator, 'hardwareConcurrency', {
      value: threads,
      configurable: true,
    });
  return threads;
}

/** ECMAScript 2025, as far as jax-js uses it. */
function fillInIteratorHelpers() {
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  const helpers = {
    *map(f) {
      let i = 0;
      for (const value of this) yield f(value, i++);
    },
    *filter(f) {
      let i = 0;
      for (const value of this) if (f(value, i++)) yield value;
    },
    *flatMap(f) {
      let i = 0;
      for (const value of this) yield* f(value, i++);
    },
    *take(count) {
      for (const value of this) {
        if (count-- <= 0) return;
        yield value;
      }
    },
    *drop(count) {
      for (const value of this) if (count-- <= 0) yield value;
    },
    toArray() {
      return [...this];
    },
    forEach(f) {
      let i = 0;
      for (const value of this) f(value, i++);
    },
    reduce(f, ...initial) {
      return [...this].reduce(f, ...initial);
    },
    some(f) {
      return [...this].some(f);
    },
    every(f) {
      return [...this].every(f);
    },
    find(f) {
      return [...this].find(f);
    },
  };
  for (const [name, value] of Object.entries(helpers))
    if (!(name in prototype))
      Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
}
