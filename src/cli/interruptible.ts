import { Interrupted } from './io.ts';

/**
 * Runs what Ctrl-C may end: the first one aborts the signal, a second one ends the process as ever. Elsewhere Ctrl-C keeps
 * its meaning: passes of the compiler do not look at signals of the process.
 *
 * @throws Interrupted when it was ended
 */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once('SIGINT', stop);
  try {
    return await run(controller.signal);
  } catch (error) {
    if (controller.signal.aborted && error === controller.signal.reason) throw new Interrupted('interrupted');
    throw error;
  } finally {
    process.removeListener('SIGINT', stop);
  }
}
