/**
 * Words that threads share. A job is one call `run(…args, workspace)` of a program, cut along one pair of arguments `begin, end`
 * into parts; whoever has nothing to do takes the next part.
 *
 * A thread that wants to take part first adds itself to `active`, then looks whether the job is `open`. The main thread
 * closes a job before it waits for `active` to become 0, and writes another one only after that. So what a thread reads
 * after it found a job open stays as it is until it leaves.
 */
export const WORD = {
  /** Changes with every job; idle threads wait for that. */
  generation: 0,
  open: 1,
  active: 2,
  failed: 3,
  program: 4,
  /** The next part to take. */
  next: 5,
  parts: 6,
  /** Which argument is `begin`. */
  cut: 7,
  begin: 8,
  end: 9,
  step: 10,
  argumentCount: 11,
  /** Parts that were computed by other threads than the main one, ever. */
  helped: 12,
  /** Programs that were sent to all threads, ever. */
  programs: 13,
  firstArgument: 14,
} as const;

export const MOST_ARGUMENTS = 8;
export const CONTROL_WORDS = WORD.firstArgument + MOST_ARGUMENTS;

/**
 * Loads of a word before a thread goes to sleep: half a millisecond. Kernels of a model follow each other faster, and waking a thread
 * takes a tenth of that from both.
 */
export const SPINS = 50_000;
