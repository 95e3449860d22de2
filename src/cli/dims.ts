import { UserError } from '../errors.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';

const usage = (message: string): UserError => new UserError(message, { exitCode: 2 });

/**
 * Reads `--dims` values such as `N=4096` and `N=4096,B=2`.
 *
 * @throws UserError (bad usage) for anything but `name=positive integer`, and for one name with two values.
 */
export function parseDims(texts: readonly string[]): Bindings {
  const dims: Record<string, number> = {};
  for (const part of texts.flatMap((text) => text.split(','))) {
    const match = /^\s*([A-Za-z_$][\w$]*)\s*=\s*(.*?)\s*$/.exec(part);
    if (!match) throw usage(`--dims: expected name=size such as N=4096, got "${part}"`);
    const [, name = '', text = ''] = match;
    const size = Number(text);
    if (!/^\d+$/.test(text) || size < 1 || !Number.isSafeInteger(size)) {
      throw usage(`--dims: ${name} must be a positive integer, got "${text}"`);
    }
    if (Object.hasOwn(dims, name) && dims[name] !== size) {
      throw usage(`--dims: ${name} is given twice, as ${dims[name]} and as ${size}`);
    }
    dims[name] = size;
  }
  return dims;
}

/** @throws UserError (bad usage) naming every dimension of the model that has no value, and every one that it does not have. */
export function checkDims(graph: Graph, dims: Bindings): void {
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
