import { invariant, UserError } from '../../errors.ts';
import { type Bindings, type Dim, evalDim, printShape, type Shape, substituteDim } from '../../ir/dims.ts';
import type { Graph, GraphInput, GraphParam, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import { ShapeError } from '../../ir/ops/op.ts';
import { mapAttrDims } from '../graph/attrs.ts';

/**
 * Binds the named dimensions: shapes and attributes become numbers, `symbolic` keeps the names.
 *
 * @throws UserError naming every dimension that is unbound, unknown or not a positive integer, and for values at which
 *   an op of the model does not fit.
 */
export function specialise(graph: Graph, bindings: Bindings): Graph {
  checkBindings(graph, bindings);
  const used = Object.fromEntries(graph.dims.map((dim) => [dim, bindings[dim] as number]));
  const bind = (shape: Shape, what: string): number[] => {
    const bound = shape.map((dim) => evalDim(dim, used));
    if (bound.some((extent) => extent <= 0)) {
      throw new UserError(
        `${what} of shape ${printShape(shape)} is ${printShape(bound)} for ${printBindings(used)}: extents must be positive; choose larger dimensions`,
      );
    }
    return bound;
  };
  const types = new Map<ValueId, TensorType>();
  const bound = <T extends GraphInput | GraphParam>(kind: string, values: readonly T[]): T[] =>
    values.map((value) => {
      const shape = bind(value.shape, `${kind} ${value.id}`);
      types.set(value.id, { shape, dtype: value.dtype });
      return { ...value, shape };
    });
  const inputs = bound('input', graph.inputs);
  const params = bound('parameter', graph.params);
  const nodes = graph.nodes.map((node): OpNode => {
    invariant(node.kind === 'op', () => `specialise runs before there are loops, got ${node.id}`);
    const shape = bind(node.shape, `${node.op} ${node.id}`);
    const attrs = mapAttrDims(node.attrs, (dim) => evalDim(dim, used));
    const operands = node.operands.map((id) => types.get(id) as TensorType);
    checkFit(node, operands, attrs, used);
    types.set(node.id, { shape, dtype: node.dtype });
    return { ...node, shape, attrs, symbolic: node.symbolic ?? node.shape };
  });
  return { ...graph, dims: [], inputs, params, nodes };
}

/**
 * Binds some of the named dimensions; the others stay, and `symbolic` keeps the names of all.
 *
 * @throws UserError naming a dimension that is unknown or not a positive integer
 */
export function bindSome(graph: Graph, bindings: Bindings): Graph {
  const open = Object.fromEntries(graph.dims.map((dim) => [dim, 1]));
  checkBindings(graph, { ...open, ...bindings });
  const bind = (dim: Dim): Dim => substituteDim(dim, bindings);
  const typed = <T extends TensorType>(value: T): T => ({ ...value, shape: value.shape.map(bind) });
  return {
    ...graph,
    dims: graph.dims.filter((dim) => bindings[dim] === undefined),
    inputs: graph.inputs.map(typed),
    params: graph.params.map(typed),
    nodes: graph.nodes.map((node) => {
      invariant(node.kind === 'op', () => `dimensions are bound before there are loops, got ${node.id}`);
      return {
        ...typed(node),
        attrs: mapAttrDims(node.attrs, bind),
        symbolic: node.symbolic ?? node.shape,
      };
    }),
  };
}

function checkBindings(graph: Graph, bindings: Bindings): void {
  const problems: string[] = [];
  const names = (list: readonly string[]): string => list.join(', ');
  const unbound = graph.dims.filter((dim) => bindings[dim] === undefined);
  const unknown = Object.keys(bindings).filter((dim) => !graph.dims.includes(dim));
  if (unbound.length > 0) problems.push(`unbound: ${names(unbound)}`);
  if (unknown.length > 0) problems.push(`unknown: ${names(unknown)}`);
  for (const dim of graph.dims) {
    const value = bindings[dim];
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      problems.push(`${dim} = ${value} is not a positive integer`);
    }
  }
  if (problems.length === 0) return;
  const has = graph.dims.length === 0 ? 'has no named dimensions' : `has the dimensions ${names(graph.dims)}`;
  throw new UserError(`${graph.name}: dimensions ${problems.join('; ')}. The model ${has}`, { exitCode: 2 });
}

/** An op may fit for some values of a dimension only: a table of 1024 positions has no row 4095. */
function checkFit(
  node: OpNode,
  operands: readonly TensorType[],
  attrs: OpNode['attrs'],
  bindings: Bindings,
): void {
  try {
    opDef(node.op).infer(operands, attrs);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const at = node.at ? ` (${node.at.file}:${node.at.line}:${node.at.column})` : '';
    throw new UserError(`${printBindings(bindings)} does not fit the model: ${error.message}${at}`, {
      cause: error,
    });
  }
}

const printBindings = (bindings: Bindings): string =>
  Object.entries(bindings)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ') || 'no dimensions';
