import type { Graph } from '../../ir/node.ts';
import type { Backend } from '../../ir/ops/op.ts';
import type { Program } from '../../ir/program.ts';
import { foldMasks } from '../passes/fold-masks.ts';
import { limitProducts } from '../passes/limit-products.ts';
import { lower } from './lower.ts';

/**
 * The program without loops that plans are held against: every kernel writes a storage of its own, and leaves out what causal
 * masks throw away, as the kernels of plans do.
 */
export const lowerWhole = (graph: Graph, backend: Backend): Program =>
  limitProducts(foldMasks(lower(graph, {}, { inPlace: false })), backend);
