import { invariant } from '../../errors.ts';
import { CONTROL_WORDS, MOST_ARGUMENTS, SPINS, WORD } from './threads/control.ts';
import type { ThreadHost, WorkerHandle } from './threads/host.ts';

/** A module over the memory of a {@link Runner}. Its `run` takes ranges `begin, end`, and last the address of a workspace. */
export interface Program {
  readonly module: WebAssembly.Module;
  readonly run: (...args: number[]) => void;
}

/** How a call may be divided: the position of the argument `begin`, before `end`, and the elements of a part. */
export interface Cut {
  readonly at: number;
  readonly step: number;
}

export interface RunnerOptions {
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  /** Needed for more than one thread; the memory is then a shared one. */
  readonly host?: ThreadHost | undefined;
  /** The workspace of each thread, that of the main thread first. */
  readonly workspaceOf: (thread: number) => number;
}

/** What functions modules import from `env`: those of `Math`, under this prefix. */
const MATH_PREFIX = 'math_';

/**
 * Runs WebAssembly over one memory, on one thread or several. The main thread always takes part, and never waits for a thread to
 * begin: parts that no other thread takes it computes itself.
 */
export class Runner {
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  /** Whether the memory is a shared one: modules must say so. */
  readonly shared: boolean;
  readonly #workspaceOf: (thread: number) => number;
  readonly #host: ThreadHost | undefined;
  readonly #control: Int32Array<ArrayBufferLike>;
  readonly #sent = new Map<WebAssembly.Module, number>();
  #workers: WorkerHandle[] | undefined;

  constructor({ memory, threads, host, workspaceOf }: RunnerOptions) {
    invariant(threads === 1 || host, () => `${threads} threads, but no way to start them`);
    this.memory = memory;
    this.threads = threads;
    this.shared = host !== undefined;
    this.#host = host;
    this.#workspaceOf = workspaceOf;
    this.#control = new Int32Array(
      threads === 1 ? new ArrayBuffer(0) : new SharedArrayBuffer(4 * CONTROL_WORDS),
    );
  }

  /** Parts that workers have computed so far. */
  get helped(): number {
    return this.threads === 1 ? 0 : Atomics.load(this.#control, WORD.helped);
  }

  load(module: WebAssembly.Module): Program {
    const env: Record<string, WebAssembly.ImportValue> = { memory: this.memory };
    for (const { name, kind } of WebAssembly.Module.imports(module)) {
      if (kind === 'function') env[name] = Math[name.slice(MATH_PREFIX.length) as 'exp'];
    }
    const { exports } = new WebAssembly.Instance(module, { env });
    return { module, run: exports.run as Program['run'] };
  }

  /** Calls `program.run(…args, workspace)`, in parts where a cut is given and there are threads. */
  run(program: Program, args: readonly number[], cut?: Cut): void {
    if (!cut || this.threads === 1) {
      program.run(...args, this.#workspaceOf(0));
      return;
    }
    const [begin, end] = args.slice(cut.at, cut.at + 2) as [number, number];
    const parts = Math.ceil((end - begin) / cut.step);
    if (parts < 2) program.run(...args, this.#workspaceOf(0));
    else this.#share(program, args, cut, parts);
  }

  /** Ends all threads. Nothing may run afterwards. */
  async end(): Promise<void> {
    await Promise.all((this.#workers ?? []).map((worker) => worker.end()));
    this.#workers = undefined;
  }

  #share(program: Program, args: readonly number[], { at, step }: Cut, parts: number): void {
    invariant(args.length <= MOST_ARGUMENTS, () => `${args.length} arguments`);
    const id = this.#send(program.module);
    const [begin, end] = args.slice(at, at + 2) as [number, number];
    const control = this.#control;
    control.set([id, 0, parts, at, begin, end, step, args.length], WORD.program);
    control.set(args, WORD.firstArgument);
    Atomics.store(control, WORD.open, 1);
    Atomics.add(control, WORD.generation, 1);
    Atomics.notify(control, WORD.generation);
    try {
      const own = [...args];
      for (let part = 0; (part = Atomics.add(control, WORD.next, 1)) < parts; ) {
        own[at] = begin + part * step;
        own[at + 1] = Math.min(end, own[at] + step);
        program.run(...own, this.#workspaceOf(0));
      }
    } finally {
      Atomics.store(control, WORD.open, 0);
      this.#waitForAll();
    }
    invariant(Atomics.exchange(control, WORD.failed, 0) === 0, 'a worker thread failed in WebAssembly');
  }

  #waitForAll(): void {
    const control = this.#control;
    for (let spins = 0; ; spins++) {
      const active = Atomics.load(control, WORD.active);
      if (active === 0) return;
      if (spins > SPINS && this.#host?.mayWait) Atomics.wait(control, WORD.active, active);
    }
  }

  /** Gives a module to all threads, once; the number by which they know it. */
  #send(module: WebAssembly.Module): number {
    const known = this.#sent.get(module);
    if (known !== undefined) return known;
    const id = this.#sent.size;
    this.#sent.set(module, id);
    for (const worker of (this.#workers ??= this.#start())) worker.send({ id, module });
    Atomics.add(this.#control, WORD.programs, 1);
    return id;
  }

  #start(): WorkerHandle[] {
    return Array.from({ length: this.threads - 1 }, (_, i) => {
      const worker = (this.#host as ThreadHost).start();
      worker.send({ control: this.#control, memory: this.memory, workspace: this.#workspaceOf(i + 1) });
      return worker;
    });
  }
}
