import { UserError } from '../errors.ts';
import type { Dim } from '../ir/dims.ts';
import { nearest } from './nearest.ts';
import type { StateDict, StoredTensor, WeightTensor } from './tensor.ts';

/** What a model knows about the files its weights come in. */
export interface WeightNames {
  /** Prefixes that some files put before every name, e.g. `transformer.`; removed where present. */
  readonly prefixes?: readonly string[];
  /** Names (after removing the prefix) that may be in the file without being a parameter, e.g. mask buffers. */
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
    const key = canonicalName(name, expected, options.prefixes ?? []);
    const other = found.get(key);
    if (expected.has(key) && other) twice.push(`${key}: as "${other.name}" and as "${name}"`);
    else if (expected.has(key)) found.set(key, { name, tensor });
    else if (!ignored(key, options.ignore ?? [])) unexpected.push(name);
  }

  const missing: string[] = [];
  const misshaped: string[] = [];
  for (const { key, shape } of params) {
    const hit = found.get(key);
    if (!hit) {
      const near = nearest(key, unexpected);
      missing.push(`${key} [${shape.join(', ')}]${near ? `   (the file has "${near}")` : ''}`);
    } else if (!sameShape(shape, hit.tensor.shape)) {
      const reversed = shape.length === 2 && sameShape([...shape].reverse(), hit.tensor.shape);
      misshaped.push(
        `${key}: expected [${shape.join(', ')}], got [${hit.tensor.shape.join(', ')}]${reversed ? '   (transposed?)' : ''}`,
      );
    }
  }
  const sections = [
    section('missing', missing),
    section('of another shape', misshaped),
    section('unexpected', unexpected),
    section('there twice', twice),
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

function canonicalName(name: string, expected: ReadonlySet<string>, prefixes: readonly string[]): string {
  if (expected.has(name)) return name;
  const prefix = prefixes.find((text) => name.startsWith(text));
  return prefix === undefined ? name : name.slice(prefix.length);
}

const ignored = (key: string, patterns: readonly (string | RegExp)[]): boolean =>
  patterns.some((pattern) => (typeof pattern === 'string' ? pattern === key : key.search(pattern) >= 0));

const sameShape = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);

const section = (title: string, lines: readonly string[]): string =>
  lines.length === 0
    ? ''
    : [`  ${title} (${lines.length}):`, ...lines.map((line) => `    ${line}`)].join('\n');
