import { UserError } from '../errors.ts';
import type { Dim } from '../ir/dims.ts';
import { encodingOf, READ_TYPES } from './convert.ts';
import { nearest } from './nearest.ts';
import { reportSection } from './report-section.ts';
import type { StateDict, StoredTensor, WeightTensor } from './tensor.ts';

/** What a model knows about the files its weights come in. */
export interface WeightNames {
  /** Prefixes that some files put before every name and others leave out, e.g. `transformer.`. */
  readonly prefixes?: readonly string[];
  /** Names, with or without a prefix, that may be in the file without being a parameter, e.g. mask buffers. */
  readonly ignore?: readonly (string | RegExp)[];
}

export interface MatchOptions extends WeightNames {
  /** Name of the file in messages. */
  readonly file?: string;
}

/** A parameter as a plan or a generated module lists it. */
export interface ParameterShape {
  readonly key: string;
  readonly shape: readonly Dim[];
}

/**
 * Finds every parameter in a state dict and loads it. Tensors are loaded only when all of them fit.
 *
 * @returns parameter key → tensor, in the order of `params`
 * @throws UserError with one report of all missing, unexpected and mis-shaped names
 */
export function matchParameters(
  params: readonly ParameterShape[],
  dict: StateDict,
  options: MatchOptions = {},
): Map<string, WeightTensor> {
  const expected = new Set(params.map(({ key }) => key));
  const found = new Map<string, { name: string; tensor: StoredTensor }>();
  const unexpected: string[] = [];
  const twice: string[] = [];
  for (const [name, tensor] of dict) {
    const names = possibleNames(name, options.prefixes ?? []);
    const key = names.find((candidate) => expected.has(candidate));
    const other = key === undefined ? undefined : found.get(key);
    if (other) twice.push(`${key}: as "${other.name}" and as "${name}"`);
    else if (key !== undefined) found.set(key, { name, tensor });
    else if (!names.some((candidate) => ignored(candidate, options.ignore ?? [])))
      unexpected.push(`${name} [${tensor.shape.join(', ')}]`);
  }

  const missing: string[] = [];
  const misshaped: string[] = [];
  const unread: string[] = [];
  const unexpectedNames = unexpected.map((line) => line.slice(0, line.lastIndexOf(' [')));
  for (const { key, shape } of params) {
    const hit = found.get(key);
    if (!hit) {
      const near = nearest(key, unexpectedNames);
      missing.push(`${key} [${shape.join(', ')}]${near ? `   (the file has "${near}")` : ''}`);
    } else if (!sameShape(shape, hit.tensor.shape)) {
      const reversed = shape.length === 2 && sameShape([...shape].reverse(), hit.tensor.shape);
      misshaped.push(
        `${key}: expected [${shape.join(', ')}], got [${hit.tensor.shape.join(', ')}]${reversed ? '   (transposed?)' : ''}`,
      );
    } else if (encodingOf(hit.tensor.storedAs) === undefined) {
      unread.push(`${key}: stored as ${hit.tensor.storedAs}`);
    }
  }
  const sections = [
    reportSection('missing', missing),
    reportSection('of another shape', misshaped),
    reportSection(`of a type that cannot be read (only ${READ_TYPES} can)`, unread),
    reportSection('unexpected', unexpected),
    reportSection('there twice', twice),
  ].filter((text) => text !== '');
  if (sections.length > 0)
    throw new UserError(
      `${options.file ?? 'the weights'} do not fit the model (${found.size} of ${params.length} parameters found)\n${sections.join('\n')}`,
    );

  const matched = new Map<string, WeightTensor>();
  for (const { key } of params) {
    const hit = found.get(key) as { tensor: StoredTensor };
    matched.set(key, hit.tensor.load());
  }
  return matched;
}

/** A name of a file as it is, without each prefix, and with each. */
const possibleNames = (name: string, prefixes: readonly string[]): string[] => [
  name,
  ...prefixes.filter((prefix) => name.startsWith(prefix)).map((prefix) => name.slice(prefix.length)),
  ...prefixes.map((prefix) => prefix + name),
];

const ignored = (key: string, patterns: readonly (string | RegExp)[]): boolean =>
  patterns.some((pattern) => (typeof pattern === 'string' ? pattern === key : key.search(pattern) >= 0));

const sameShape = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);
