import { UserError } from 'autochunk';

/** How a field of a configuration is read. */
export interface Field<T> {
  /** What a value must be, for messages. */
  readonly expected: string;
  accepts(value: unknown): value is T;
  /** Stands for a field that is absent. */
  readonly fallback?: T;
}

const field = <T>(
  expected: string,
  accepts: (value: unknown) => value is T,
  fallback: T | undefined,
): Field<T> => ({ expected, accepts, ...(fallback === undefined ? {} : { fallback }) });

const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0;

export const count = (fallback?: number): Field<number> => field('a positive integer', isCount, fallback);

export const number = (fallback?: number): Field<number> =>
  field('a number', (value): value is number => typeof value === 'number', fallback);

export const boolean = (fallback?: boolean): Field<boolean> =>
  field('true or false', (value): value is boolean => typeof value === 'boolean', fallback);

export const counts = (fallback?: readonly number[]): Field<readonly number[]> =>
  field(
    'a list of positive integers',
    (value): value is readonly number[] => Array.isArray(value) && value.every(isCount),
    fallback,
  );

export const oneOf = <const T extends string>(values: readonly T[], fallback?: T): Field<T> =>
  field(
    values.map((value) => `"${value}"`).join(' or '),
    (value): value is T => (values as readonly unknown[]).includes(value),
    fallback,
  );

export const listOf = <const T extends string>(
  values: readonly T[],
  fallback?: readonly T[],
): Field<readonly T[]> =>
  field(
    `a list of ${values.map((value) => `"${value}"`).join(' or ')}`,
    (value): value is readonly T[] =>
      Array.isArray(value) && value.every((item) => (values as readonly unknown[]).includes(item)),
    fallback,
  );

/** Either of two fields; the fallback is that of the first. */
export const either = <A, B>(a: Field<A>, b: Field<B>): Field<A | B> =>
  field(
    `${a.expected} or ${b.expected}`,
    (value): value is A | B => a.accepts(value) || b.accepts(value),
    a.fallback,
  );

/**
 * Reads the fields that a model knows from a parsed `config.json`. `fixed` lists the fields that the model knows for
 * one value only; absent and null they have it. Other fields (dropout, training, bookkeeping) mean nothing to a forward
 * pass and are ignored.
 *
 * @throws UserError with one report of everything that is missing, malformed or not supported
 */
export function readConfig<C extends object>(
  what: string,
  json: unknown,
  fields: { readonly [K in keyof C]: Field<C[K]> },
  fixed: Readonly<Record<string, unknown>>,
): C {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new UserError(`${what}: expected a JSON object, got ${JSON.stringify(json)}`);
  const source = json as Readonly<Record<string, unknown>>;
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, { expected, accepts, fallback }] of Object.entries<Field<unknown>>(fields)) {
    const value = source[name] ?? fallback;
    if (value === undefined) problems.push(`${name}: missing, expected ${expected}`);
    else if (!accepts(value)) problems.push(`${name}: expected ${expected}, got ${JSON.stringify(value)}`);
    config[name] = value;
  }
  for (const [name, only] of Object.entries(fixed)) {
    const value = source[name] ?? only;
    if (value !== only)
      problems.push(`${name}: only ${JSON.stringify(only)} is supported, got ${JSON.stringify(value)}`);
  }
  if (problems.length > 0) throw new UserError(`${what}:\n  ${problems.join('\n  ')}`);
  return config as C;
}
