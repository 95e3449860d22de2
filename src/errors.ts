/** What a person did that cannot work: bad input, bad option, bad model. The command line exits with `exitCode`. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  /** 1: the request was understood and failed; 2: the request itself was wrong (bad usage). */
  readonly exitCode: 1 | 2;

  constructor(message: string, options: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? 1;
  }
}

/** A request that is meaningful but that this version, backend or machine cannot serve. */
export class UnsupportedError extends UserError {
  override readonly name = 'UnsupportedError';
}

/** A defect in autochunk itself: an internal contract was broken. Never caused by user input. */
export class InternalError extends Error {
  override readonly name: string = 'InternalError';
}

/** Throws an {@link InternalError} when an internal contract does not hold. */
export function invariant(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) {
    throw new InternalError(
      `autochunk internal error (please report): ${typeof message === 'function' ? message() : message}`,
    );
  }
}
