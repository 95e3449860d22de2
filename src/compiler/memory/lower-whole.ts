import type { Graph } from '../../ir/node.ts';
import type { Program } from '../../ir/program.ts';
import { foldMasks } from '../passes/fold-masks.ts';
import { lower } from './lower.ts';

/** The program without loops that plans are held against: every kernel writes a storage of its own. */
export const lowerWhole = (graph: Graph): Program => foldMasks(lower(graph, {}, { inPlace: false }));
