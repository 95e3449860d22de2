import { type Bindings, evalShape } from '../../ir/dims.ts';
import type { Graph, ValueId } from '../../ir/node.ts';
import type { Program, Step } from '../../ir/program.ts';
import { contiguous } from '../../layout/layout.ts';
import { freshNames } from '../graph/names.ts';
import { Block } from './block.ts';
import type { Place, Places } from './place.ts';
import { readsInGraph } from './reads.ts';

/**
 * Makes memory explicit: every storage is allocated by one step, written by kernels (loops write their results through
 * slices of it), seen through views that cost nothing, and freed right after the last use of any view. `bindings` give
 * the named dimensions of a graph that is not specialised; which reshapes are views is decided for them. Results are
 * written over operands that nothing needs any more; without `inPlace` every op writes a storage of its own.
 */
export function lower(graph: Graph, bindings: Bindings = {}, { inPlace = true } = {}): Program {
  const places = inputPlaces(graph, bindings);
  const block = new Block({ fresh: freshNames(graph), sketched: false, bindings }, places, {
    owned: donatedTo(graph),
    reads: inPlace ? readsInGraph(graph) : undefined,
  });
  graph.nodes.forEach((node) => void block.add(node));
  const outputs = block.ownOutputs(graph.outputs);
  block.free(new Set(outputs.map((output) => output.value)));
  return {
    name: graph.name,
    inputs: graph.inputs,
    params: graph.params,
    steps: markOutputs(block.groups.flat(), new Set(outputs.map(({ value }) => block.place(value).storage))),
    outputs,
  };
}

/** The storages of inputs that a graph must free. */
export const donatedTo = ({ inputs }: Graph): ValueId[] =>
  inputs.flatMap(({ id, donated }) => (donated ? [id] : []));

/** The places of a graph's inputs and parameters. */
export function inputPlaces({ inputs, params }: Graph, bindings: Bindings = {}): Places {
  const places = new Map<ValueId, Place>();
  for (const value of [...inputs, ...params]) {
    const layout = contiguous(evalShape(value.shape, bindings));
    places.set(value.id, { storage: value.id, layout, type: value });
  }
  return places;
}

const markOutputs = (steps: readonly Step[], storages: ReadonlySet<ValueId>): Step[] =>
  steps.map((step) =>
    step.kind === 'alloc' && storages.has(step.value) ? { ...step, role: 'output' as const } : step,
  );
