import { evalShape, sizeOf } from '../ir/dims.ts';
import type { Graph, GraphInput, GraphParam } from '../ir/node.ts';

/** Uniform numbers in [0, 1), the same for the same seed (Mulberry32). */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Elements of every input and parameter of a graph, by value id, row-major. */
export interface ModelData {
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly params: Readonly<Record<string, Float32Array>>;
}

/**
 * Random data for a specialised graph: inputs in [-1, 1), ids below their bound, matrices scaled by 1/√fan-in so that
 * activations stay of order 1 through deep models, vectors around 1 so that norm gains matter.
 */
export function randomData(graph: Pick<Graph, 'inputs' | 'params'>, seed: number): ModelData {
  const next = randomSource(seed);
  const fill = (value: GraphInput | GraphParam, draw: () => number): Float32Array =>
    Float32Array.from({ length: sizeOf(evalShape(value.shape, {})) as number }, draw);
  const input = (value: GraphInput): Float32Array => {
    const below = value.below ?? 8;
    return fill(value, value.dtype === 'i32' ? () => Math.floor(next() * below) : () => 2 * next() - 1);
  };
  const param = (value: GraphParam): Float32Array => {
    if (value.shape.length < 2) return fill(value, () => 1 + 0.5 * (next() - 0.5));
    // The weights of convolutions sum over all axes but the first.
    const summed = evalShape(value.shape.slice(value.shape.length > 2 ? 1 : -1), {});
    const scale = Math.sqrt(3 / (sizeOf(summed) as number));
    return fill(value, () => scale * (2 * next() - 1));
  };
  return {
    inputs: Object.fromEntries(graph.inputs.map((value) => [value.id, input(value)])),
    params: Object.fromEntries(graph.params.map((value) => [value.id, param(value)])),
  };
}
