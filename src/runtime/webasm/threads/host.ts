import { WORKER_SOURCE } from './worker-source.ts';

/** A running worker. */
export interface WorkerHandle {
  send(message: unknown): void;
  /** Ends it, whatever it does. */
  end(): Promise<void>;
}

/** What this host has for threads. */
export interface ThreadHost {
  /** Threads that can run at the same time. */
  readonly cores: number;
  /** Whether the main thread may sleep; that of a browser may not. */
  readonly mayWait: boolean;
  start(): WorkerHandle;
}

/** More threads than this only when asked for: each takes memory of its own, and few operations are large enough. */
export const MOST_BY_DEFAULT = 16;

export const defaultThreads = ({ cores }: ThreadHost): number => Math.min(cores, MOST_BY_DEFAULT);

/** How to start workers here; undefined where threads cannot share memory. */
export async function findThreads(): Promise<ThreadHost | undefined> {
  if (typeof SharedArrayBuffer === 'undefined') return undefined;
  if (typeof process !== 'undefined' && process.versions?.node) return nodeThreads();
  return browserThreads();
}

async function nodeThreads(): Promise<ThreadHost> {
  // Names that bundlers for browsers do not follow.
  const names = ['node:worker_threads', 'node:os'] as const;
  const [{ Worker }, { availableParallelism }] = (await Promise.all(
    names.map((name) => import(/* @vite-ignore */ name)),
  )) as [typeof import('node:worker_threads'), typeof import('node:os')];
  return {
    cores: availableParallelism(),
    mayWait: true,
    start() {
      const worker = new Worker(WORKER_SOURCE, { eval: true, execArgv: [], name: 'autochunk' });
      // Neither keeps the process alive nor ends it: without its help the main thread does all the work.
      worker.unref();
      worker.on('error', () => {});
      return {
        send: (message) => worker.postMessage(message),
        end: async () => void (await worker.terminate()),
      };
    },
  };
}

/** The part of a browser's API that is used here. */
interface BrowserScope {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly document?: unknown;
  readonly Worker?: new (url: string, options: { name: string }) => BrowserWorker;
  readonly Blob: new (parts: readonly string[], options: { type: string }) => object;
  readonly URL: { createObjectURL(blob: object): string; revokeObjectURL(url: string): void };
}
interface BrowserWorker {
  postMessage(message: unknown): void;
  terminate(): void;
}

function browserThreads(): ThreadHost | undefined {
  const scope = globalThis as unknown as BrowserScope;
  const { Worker } = scope;
  if (scope.crossOriginIsolated !== true || !Worker) return undefined;
  return {
    cores: scope.navigator?.hardwareConcurrency ?? 1,
    mayWait: scope.document === undefined,
    start() {
      const url = scope.URL.createObjectURL(new scope.Blob([WORKER_SOURCE], { type: 'text/javascript' }));
      const worker = new Worker(url, { name: 'autochunk' });
      return {
        send: (message) => worker.postMessage(message),
        end() {
          worker.terminate();
          scope.URL.revokeObjectURL(url);
          return Promise.resolve();
        },
      };
    },
  };
}
