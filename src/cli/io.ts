/** Where a command writes, and whether in colour. stdout carries results only; everything else goes to stderr. */
export interface Io {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly color: boolean;
  /** Runs what Ctrl-C may end: `signal` is aborted by the first one. Without it nothing can be interrupted. */
  readonly interruptible?: <T>(run: (signal: AbortSignal) => Promise<T>) => Promise<T>;
}

const paint =
  (code: number) =>
  (io: Io, text: string): string =>
    io.color ? `\u001b[${code}m${text}\u001b[0m` : text;

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);

/** One line of progress on stderr. */
export const progress = (io: Io, text: string): void => io.stderr(`${dim(io, text)}\n`);

/** The user asked to stop, and what ran was ended cleanly. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** The one JSON document of `--json`. */
export const printJson = (io: Io, document: unknown): void =>
  io.stdout(`${JSON.stringify(document, null, 2)}\n`);

/** A command that did its work and found that something is wrong: its output is complete, only the exit code is left. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}
