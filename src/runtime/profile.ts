/** An event of a trace in Chrome's format (Trace Event Format, "JSON Object Format"); times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  /** `X`: from `ts` for `dur`. `C`: a counter's value at `ts`. `M`: a name of a process or thread. */
  readonly ph: 'X' | 'C' | 'M';
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly args: Readonly<Record<string, string | number>>;
}

/** What chrome://tracing and ui.perfetto.dev open, once it is JSON. */
export interface Trace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
}

/** A recording of what a device does. */
export interface Profile {
  /** Waits for what was recorded, and ends the recording. */
  stop(): Promise<Trace>;
}

const PID = 1;
const TRACKS = { sections: 1, kernels: 2, memory: 3 } as const;

/** Collects kernels, sections of models and live bytes. Times are milliseconds of `performance.now()`. */
export class Profiler {
  readonly #start = performance.now();
  readonly #events: TraceEvent[] = [];
  #section: { readonly name: string; readonly from: number } | undefined;

  /** `timing`: where the times of kernels come from. */
  constructor(device: string, timing: string, liveBytes: number) {
    this.#name('process_name', 0, `autochunk on ${device}`);
    this.#name('thread_name', TRACKS.sections, 'model');
    this.#name('thread_name', TRACKS.kernels, `kernels (${timing})`);
    this.live(liveBytes);
  }

  kernel(name: string, from: number, to: number, shape: readonly number[]): void {
    this.#span(TRACKS.kernels, name, from, to, { shape: shape.join(' × ') });
  }

  live(bytes: number): void {
    const ts = this.#since(performance.now());
    this.#events.push({
      name: 'live bytes',
      ph: 'C',
      ts,
      pid: PID,
      tid: TRACKS.memory,
      args: { activations: bytes },
    });
  }

  /** A section of a model begins, which ends the one before; none begins where it has no name. */
  section(name: string | undefined): void {
    const now = performance.now();
    if (this.#section) this.#span(TRACKS.sections, this.#section.name, this.#section.from, now, {});
    this.#section = name === undefined ? undefined : { name: name === '' ? 'top level' : name, from: now };
  }

  trace(): Trace {
    this.section(undefined);
    return { traceEvents: [...this.#events].sort((a, b) => a.ts - b.ts), displayTimeUnit: 'ms' };
  }

  #span(tid: number, name: string, from: number, to: number, args: TraceEvent['args']): void {
    const ts = Math.max(0, this.#since(from));
    this.#events.push({ name, ph: 'X', ts, dur: Math.max(0, this.#since(to) - ts), pid: PID, tid, args });
  }

  #name(kind: string, tid: number, name: string): void {
    this.#events.push({ name: kind, ph: 'M', ts: 0, pid: PID, tid, args: { name } });
  }

  #since(time: number): number {
    return (time - this.#start) * 1000;
  }
}
