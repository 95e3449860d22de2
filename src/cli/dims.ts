import { UserError } from '../errors.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';
import type { DimRange } from '../ir/range-plan.ts';

const usage = (message: string): UserError => new UserError(message, { exitCode: 2 });

/** Sizes of dimensions; one may be a range. */
export type GivenDims = Readonly<Record<string, number | DimRange>>;

/**
 * Reads `--dims` values such as `N=4096`, `N=4096,B=2` and `N=1..8192`.
 *
 * @throws UserError (bad usage) for anything but `name=positive integer` or a range of them, and for one name with two values.
 */
export function parseRanges(texts: readonly string[]): GivenDims {
  const dims: Record<string, number | DimRange> = {};
  for (const part of texts.flatMap((text) => text.split(','))) {
    const match = /^\s*([A-Za-z_$][\w$]*)\s*=\s*(.*?)\s*$/.exec(part);
    if (!match) throw usage(`--dims: expected name=size such as N=4096, got "${part}"`);
    const [, name = '', text = ''] = match;
    const [first = '', last, ...more] = text.split('..');
    if (more.length > 0) throw usage(`--dims: expected a range such as ${name}=1..8192, got "${part}"`);
    const from = parseSize(name, first);
    const size = last === undefined ? from : { from, to: parseSize(name, last) };
    if (typeof size === 'object' && size.to < size.from)
      throw usage(`--dims: the range ${text} of ${name} ends before it begins`);
    const known = Object.hasOwn(dims, name) ? dims[name] : undefined;
    if (known !== undefined && sizeText(known) !== sizeText(size)) {
      throw usage(`--dims: ${name} is given twice, as ${sizeText(known)} and as ${sizeText(size)}`);
    }
    dims[name] = size;
  }
  return dims;
}

function parseSize(name: string, text: string): number {
  const size = Number(text);
  if (!/^\d+$/.test(text) || size < 1 || !Number.isSafeInteger(size)) {
    throw usage(`--dims: ${name} must be a positive integer, got "${text}"`);
  }
  return size;
}

/** `512`, `1..8192`. */
export const sizeText = (size: number | DimRange, between = '..'): string =>
  typeof size === 'number' ? `${size}` : `${size.from}${between}${size.to}`;

export const hasRange = (dims: GivenDims): boolean =>
  Object.values(dims).some((size) => typeof size === 'object');

/** Like {@link parseRanges}, where every dimension needs one size. */
export function parseDims(texts: readonly string[]): Bindings {
  const dims: Record<string, number> = {};
  for (const [name, size] of Object.entries(parseRanges(texts))) {
    if (typeof size === 'object') {
      throw usage(
        `--dims: ${name}=${sizeText(size)} is a range, which only \`compile\` and \`verify\` take; give one size`,
      );
    }
    dims[name] = size;
  }
  return dims;
}

/** @throws UserError (bad usage) naming every dimension of the model that has no value, and every one that it does not have. */
export function checkDims(graph: Graph, dims: GivenDims): void {
  const unbound = graph.dims.filter((name) => !Object.hasOwn(dims, name));
  const unknown = Object.keys(dims).filter((name) => !graph.dims.includes(name));
  const has =
    graph.dims.length > 0 ? `its dimensions are ${graph.dims.join(', ')}` : 'it has no named dimension';
  if (unknown.length > 0) throw usage(`model ${graph.name} has no dimension ${unknown.join(', ')}: ${has}`);
  if (unbound.length > 0) {
    const example = unbound.map((name) => `${name}=512`).join(',');
    const noun = unbound.length === 1 ? 'dimension' : 'dimensions';
    throw usage(
      `model ${graph.name} needs sizes for ${noun} ${unbound.join(', ')}: pass for example --dims ${example}`,
    );
  }
}
