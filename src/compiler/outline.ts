import { bordersOf, type Cut, describeCut, isContraction, type NodeCut } from '../ir/flow.ts';
import {
  BYTES_PER_ELEMENT,
  type LoopResult,
  type OpNode,
  type TensorType,
  type ValueId,
} from '../ir/node.ts';
import { loopCost, sharesOf, workOf } from './cost.ts';
import type { Weights } from './cost-model.ts';
import type { Growth } from './evaluate.ts';
import { arrange, type Region, usedOutside } from './region.ts';
import { bytesBetween, type State } from './state.ts';

/**
 * What a loop over a region takes, read off the storages of the graph without the loop: nothing is built or lowered.
 * Copies that only a loop needs are not seen, so outlines rank regions; the best ones are evaluated exactly.
 */
export interface Outline {
  readonly region: Region;
  /** Live bytes around the body. */
  readonly fixedBytes: number;
  /** Live bytes of the body. */
  readonly body: readonly Growth[];
  readonly kernels: number;
  readonly costAt: (chunkSize: number) => number;
  /** Regions with the same key run the same kernels; they differ in views. */
  readonly key: string;
}

/** Undefined when the region is not convex. */
export function outline(state: State, region: Region, weights: Weights): Outline | undefined {
  const first = state.index.definedAt.get(region.cuts.keys().next().value as ValueId) as number;
  const nodes = interval(state, region, first);
  const arrangement = nodes ? undefined : arrange(state.index, region);
  const inside = nodes ?? arrangement?.inside;
  if (!inside) return undefined;
  let body = bodies.get(region);
  if (!body) {
    body = outlineBody(state, region, inside);
    bodies.set(region, body);
  }
  const { results, kernels, bytes, key } = body;
  const loop = { slices: [], results, extent: region.extent };
  const aroundBytes = arrangement ? bytesBetween(state, arrangement) : (state.before[first] as number);
  return {
    region,
    fixedBytes: aroundBytes + body.resultBytes,
    body: bytes,
    kernels: kernels.length,
    costAt: (chunkSize) =>
      loopCost(
        kernels,
        loop,
        kernels.length,
        chunkSize,
        state.index.types,
        weights,
        sharesOf(region, chunkSize, state.index.types),
      ).total,
    key,
  };
}

/** The nodes of a region that leaves none out from its first to its last: nothing moves to make room for its loop. */
function interval({ index }: State, { cuts }: Region, first: number): readonly OpNode[] | undefined {
  const { nodes } = index.graph;
  const stop = first + cuts.size;
  for (let position = first; position < stop; position++) {
    const node = nodes[position];
    if (node?.kind !== 'op' || !cuts.has(node.id)) return undefined;
  }
  return nodes.slice(first, stop) as readonly OpNode[];
}

/** What does not depend on the loops around a region. */
interface Body extends Pick<Outline, 'key'> {
  readonly bytes: readonly Growth[];
  readonly kernels: readonly OpNode[];
  readonly results: readonly LoopResult[];
  /** Results that are those of a loop around are written where they belong. */
  readonly resultBytes: number;
}

const bodies = new WeakMap<Region, Body>();

function outlineBody(state: State, region: Region, inside: readonly OpNode[]): Body {
  const { index, places, sizes } = state;
  const carried = new Set<ValueId>();
  const results = inside.flatMap(({ id, shape, dtype }): LoopResult[] => {
    const cut = region.cuts.get(id) as NodeCut;
    if (isContraction(cut)) carried.add(id);
    else if (usedOutside(index, region, id)) return [{ kind: 'concat', id, value: id, shape, dtype, ...cut }];
    return [];
  });
  const bytesOfAll = (ids: Iterable<ValueId>): number =>
    [...ids].reduce(
      (sum, id) => sum + count((index.types.get(id) as TensorType).shape) * BYTES_PER_ELEMENT,
      0,
    );
  const written = new Set([...results.map(({ id }) => id), ...carried]);
  const storageOf = (id: ValueId): ValueId | undefined => {
    const storage = places.get(id)?.storage;
    return storage !== undefined && region.cuts.has(storage) && !written.has(storage) ? storage : undefined;
  };
  const lastUse = new Map<ValueId, OpNode>();
  for (const node of inside) {
    for (const id of [...node.operands, node.id]) {
      const storage = storageOf(id);
      if (storage !== undefined) lastUse.set(storage, node);
    }
  }
  /** Bytes of the borders that every chunk of a storage has. */
  const borderBytes = (storage: ValueId): number => {
    const cut = region.cuts.get(storage) as Cut;
    const { before, after } = bordersOf(cut);
    if (before + after === 0) return 0;
    const axis = index.types.get(storage)?.shape[cut.axis] as number;
    return ((before + after) * (sizes.get(storage) as number)) / axis;
  };
  let live = 0;
  let borders = 0;
  let most: Growth = { fixed: 0, perUnit: 0 };
  for (const node of inside) {
    if (storageOf(node.id) === node.id) {
      live += sizes.get(node.id) as number;
      borders += borderBytes(node.id);
    }
    const now = { fixed: borders, perUnit: (live + scratchBytes(state, node)) / region.extent };
    if (now.fixed + now.perUnit > most.fixed + most.perUnit) most = now;
    for (const storage of new Set([...node.operands, node.id].map(storageOf))) {
      if (storage === undefined || lastUse.get(storage) !== node) continue;
      live -= sizes.get(storage) as number;
      borders -= borderBytes(storage);
    }
  }
  const kernels = inside.filter((node) => workOf(node, index.types).elements > 0);
  const last = inside.at(-1) as OpNode;
  return {
    kernels,
    results,
    resultBytes: bytesOfAll([...written].filter((id) => !state.around.results?.of.has(id))),
    bytes: [most],
    key: `${kernels.map(({ id }) => id).join(' ')} ${region.extent} ${describeCut(region.cuts.get(last.id) as NodeCut)}`,
  };
}

const count = (shape: OpNode['shape']): number =>
  shape.reduce<number>((product, dim) => product * (dim as number), 1);

/** Bytes a kernel takes while it runs. */
function scratchBytes({ index, groups, sizes }: State, { id }: OpNode): number {
  let bytes = 0;
  for (const step of groups[index.definedAt.get(id) as number] ?? []) {
    if (step.kind === 'alloc' && step.role === 'scratch') bytes += sizes.get(step.value) as number;
  }
  return bytes;
}
