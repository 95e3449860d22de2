import { type Bindings, evalDim } from '../../ir/dims.ts';
import type { Graph, Node } from '../../ir/node.ts';
import type { Interval } from './polynomial.ts';

/** The size taken where the model's shapes allow it: a prime that no extent of a model happens to have. */
const PREFERRED = 10007;
/** Chunk sizes are primes from here on. */
const FIRST_CHUNK = 211;

/**
 * Values for the names in a graph with which its layouts say what holds for all values: what fits together only by
 * chance does not with primes that differ. Shapes must have positive extents, which the size of the interval's dimension
 * decides.
 */
export function witness(graph: Graph, { name, from, to }: Interval): Bindings {
  const chunks = graph.dims.filter((dim) => dim !== name);
  const sizes = primesFrom(FIRST_CHUNK, chunks.length);
  const bindings = Object.fromEntries(chunks.map((chunk, i) => [chunk, sizes[i] as number]));
  const isPossible = (size: number): boolean =>
    graph.nodes.every((node) => hasPositiveShapes(node, { [name]: size }));
  if (isPossible(PREFERRED)) return { ...bindings, [name]: PREFERRED };
  for (let size = to; size >= from; size--) if (isPrime(size)) return { ...bindings, [name]: size };
  return { ...bindings, [name]: to };
}

const hasPositiveShapes = (node: Node, bindings: Bindings): boolean =>
  (node.kind === 'op' ? [node] : node.results).every(({ shape }) =>
    shape.every((dim) => evalDim(dim, bindings) > 0),
  );

function primesFrom(first: number, count: number): number[] {
  const primes: number[] = [];
  for (let n = first; primes.length < count; n++) if (isPrime(n)) primes.push(n);
  return primes;
}

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return n > 1;
}
