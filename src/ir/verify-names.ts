import { fail } from './verify-error.ts';

/** A name, what has it, and whether that is a loop. */
export type Claim = readonly [name: string, what: string, isLoop: boolean];

/** Names taken so far, in the graph and everything nested in it. Loops are named apart from values. */
export class Names {
  readonly #taken = new Map<string, string>();
  readonly #loops = new Set<string>();
  readonly #claims: Claim[] = [];

  /** How many names are taken. */
  get count(): number {
    return this.#claims.length;
  }

  /** The names that were taken after so many. */
  since(count: number): readonly Claim[] {
    return this.#claims.slice(count);
  }

  claimLoop(id: string, context: () => string): void {
    this.take([id, `loop ${id}`, true], context);
  }

  claim(name: string, what: string, context: () => string): void {
    if (!isIdentifier(name)) {
      fail(`${what}: ${JSON.stringify(name)} is not an identifier`, context());
    }
    this.take([name, what, false], context);
  }

  /** Like {@link claim}, for names that are known to be identifiers. */
  take(claim: Claim, context: () => string): void {
    const [name, what, isLoop] = claim;
    this.#claims.push(claim);
    if (isLoop) {
      if (this.#loops.has(name)) fail(`there are two loops ${name}`, context());
      this.#loops.add(name);
      return;
    }
    const other = this.#taken.get(name);
    if (other !== undefined) fail(`${what} has a name that is taken by ${other}`, context());
    this.#taken.set(name, what);
  }
}

const NOT_IDENTIFIERS = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends ' +
    'false finally for function if implements import in instanceof interface let new null package private protected ' +
    'public return static super switch this throw true try typeof var void while with yield'
  ).split(' '),
);

/** Can a name stand for a value in code? */
export const isIdentifier = (name: string): boolean =>
  /^[A-Za-z_$][\w$]*$/.test(name) && !NOT_IDENTIFIERS.has(name);
