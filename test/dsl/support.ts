import {
  defineModel,
  type Graph,
  type InputSpecs,
  type InputTensors,
  type ModelOutput,
  type OpNode,
  trace,
} from 'autochunk';

/** Traces a forward function as a model named `m`. */
export const traced = <const I extends InputSpecs, O extends ModelOutput>(
  inputs: I,
  forward: (inputs: InputTensors<I>) => O,
): Graph => trace(defineModel('m', inputs, forward));

export const ops = (graph: Graph): readonly OpNode[] =>
  graph.nodes.map((node) => {
    if (node.kind !== 'op') throw new Error(`${node.id} is a loop`);
    return node;
  });

/** `id = op(operands) {attrs}` a node. */
export const lines = (graph: Graph): string[] =>
  ops(graph).map(({ id, op, operands, attrs, shape, dtype }) => {
    const attributes = Object.entries(attrs).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
    return `${id} = ${op}(${operands.join(', ')})${attributes.length > 0 ? ` {${attributes.join(', ')}}` : ''} : ${dtype}[${shape.join(', ')}]`;
  });
