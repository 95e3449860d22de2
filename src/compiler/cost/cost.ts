import { dimNames } from '../../ir/dims.ts';
import { bordersOf, isContraction, type Span } from '../../ir/flow.ts';
import { loopSizes } from '../../ir/loop.ts';
import { type LoopNode, type OpNode, partType, type TensorType } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { CostTerms } from '../../ir/plan.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import type { Region } from '../loops/region.ts';
import type { Weights } from './cost-model.ts';

interface Work {
  readonly flops: number;
  readonly elements: number;
}

const works = new WeakMap<OpNode, Work>();

/** What a node of a specialised graph computes, whole. */
export function workOf(node: OpNode, types: GraphIndex['types']): Work {
  let work = works.get(node);
  if (!work) {
    const operands = readTypes(node, types);
    const elements = isView(node) ? 0 : [node, ...operands].reduce((sum, { shape }) => sum + count(shape), 0);
    work = { flops: opDef(node.op).flops(operands, node.attrs, node), elements };
    works.set(node, work);
  }
  return work;
}

/** The types of what a node reads: of some operands a part. */
function readTypes({ operands, reads = [] }: OpNode, types: GraphIndex['types']): TensorType[] {
  const read = operands.map((id) => types.get(id) as TensorType);
  for (const part of reads) read[part.operand] = partType(read[part.operand] as TensorType, part);
  return read;
}

/** Views run no kernel (a reshape that has to copy is as cheap as a view next to the ops around it). */
const isView = (node: OpNode): boolean => opDef(node.op).layout !== undefined;

const count = (shape: TensorType['shape']): number =>
  shape.reduce<number>((n, dim) => n * (dim as number), 1);

/** How many times its elements a node of a loop computes: more than once where iterations share borders. */
export type Share = (node: OpNode, position: number) => number;

/** The shares of nodes with given cuts. */
export const sharesOf =
  ({ cuts, extent }: Region, chunkSize: number, types: GraphIndex['types']): Share =>
  ({ id }) => {
    const cut = cuts.get(id);
    if (!cut || isContraction(cut)) return 1;
    const { before, after } = bordersOf(cut);
    if (before + after === 0) return 1;
    return shareOf(cut, before + after, extent, chunkSize, types.get(id)?.shape[cut.axis] as number);
  };

/** The shares of the ops in the body of a loop, in execution order. */
export const sharesIn =
  (loop: LoopNode, ops: readonly OpNode[]): Share =>
  (_, position) => {
    const { shape } = ops[position] as OpNode;
    const halo = loop.halos.find(({ length }) => shape.some((dim) => dimNames(dim).includes(length)));
    const { extent, chunkSize } = loopSizes(loop);
    if (!halo || typeof halo.extent !== 'number') return 1;
    return shareOf(halo, halo.before + halo.after, extent, chunkSize, halo.extent);
  };

const shareOf = (
  { multiple }: Span,
  borders: number,
  extent: number,
  chunkSize: number,
  elements: number,
): number => (multiple * extent + borders * Math.ceil(extent / chunkSize)) / elements;

/**
 * L of one loop: the paper's four terms. `nodes` are those of the region, whole; `loop` is built from them and says what
 * is sliced; `calls` is the number of kernels of one iteration. Work that is done once more weighs as much as the calls that it
 * would keep the device busy for.
 */
export function loopCost(
  nodes: readonly OpNode[],
  loop: Pick<LoopNode, 'slices' | 'results' | 'extent'>,
  calls: number,
  chunkSize: number,
  types: GraphIndex['types'],
  weights: Weights,
  share: Share,
): CostTerms {
  const { chunks } = loopSizes({ ...loop, chunkSize });
  let flops = 0;
  let starved = 0;
  let again = 0;
  for (const [position, node] of nodes.entries()) {
    if (isView(node)) continue;
    const work = workOf(node, types);
    flops += work.flops;
    const full = work.flops + work.elements;
    const unfilled = (size: number): number => weights.saturation / (weights.saturation + size);
    again += Math.max(0, share(node, position) - 1) * full;
    starved += chunks * unfilled(full / chunks) - unfilled(full);
  }
  let runs = 0;
  for (const { axis, shape } of [
    ...loop.slices.map(({ operand, axis }) => ({ axis, shape: (types.get(operand) as TensorType).shape })),
    ...loop.results,
  ]) {
    const outer = count(shape.slice(0, axis));
    if (outer > 1) runs += outer * chunks;
  }
  const terms = {
    nodes: weights.nodes * calls * (chunks - 1),
    flops: weights.flops * flops + again / weights.saturation,
    density: weights.density * starved,
    stride: weights.stride * runs,
  };
  return { ...terms, total: terms.nodes + terms.flops + terms.density + terms.stride };
}

/**
 * Loops that split reductions are chosen where they cost less than half as much as loops that do not: results keep their
 * bits unless there is something to gain.
 */
export const reluctance = ({ carries }: Pick<LoopNode, 'carries'>): number => (carries.length > 0 ? 2 : 1);

export const NO_COST: CostTerms = { nodes: 0, flops: 0, density: 0, stride: 0, total: 0 };

export const addCosts = (a: CostTerms, b: CostTerms): CostTerms => ({
  nodes: a.nodes + b.nodes,
  flops: a.flops + b.flops,
  density: a.density + b.density,
  stride: a.stride + b.stride,
  total: a.total + b.total,
});

export const scaleCost = (cost: CostTerms, by: number): CostTerms => ({
  nodes: cost.nodes * by,
  flops: cost.flops * by,
  density: cost.density * by,
  stride: cost.stride * by,
  total: cost.total * by,
});
