import {
  addDims,
  canonicalDim,
  type Dim,
  dimNames,
  mulDims,
  printShape,
  type Shape,
  sameShape,
  subDims,
} from './dims.ts';
import { rangeOf } from './loop.ts';
import {
  type AttrValue,
  definedBy,
  type Graph,
  isTextAttr,
  type LoopNode,
  type LoopResult,
  type LoopSlice,
  type Node,
  type OperandPart,
  type OpNode,
  operandsOf,
  partType,
  type TensorType,
  type ValueId,
} from './node.ts';
import { hasOp, opDef } from './ops/index.ts';
import { printType } from './print.ts';
import { around, fail, footer, header } from './verify-error.ts';
import { type Claim, Names } from './verify-names.ts';

/**
 * The rules of the IR, executable. Throws {@link VerifyError} at the first one that a graph breaks, with the node and its
 * neighbours printed.
 *
 * - Names of values, loops, loop starts and loop lengths are valid identifiers, unique in the graph and all its loops.
 * - Values are defined before they are used; inside a loop only the body's own inputs can be seen.
 * - Ops are known, and types are what `OpDef.infer` says, in declared dimensions and canonical form.
 * - A loop's body takes exactly its slices (cut to `multiple · length`), whole operands and carried values, cut axes have extent
 *   `multiple · extent` or a halo's, results put body values together to the full extent, and carried values keep their type. Its
 *   names end where it ends.
 */
export function verify(graph: Graph): void {
  const names = new Names();
  graph.dims.forEach((dim) => void names.claim(dim, `dimension ${dim}`, () => header(graph)));
  verifyGraph(graph, new Map(), new Set(graph.dims), names, undefined);
}

type Context = (node?: Node) => string;

/** Where a node is sound: passes leave most nodes as they are, and what was sound there before is so again. */
interface Sound {
  readonly types: readonly (TensorType | undefined)[];
  /** The named dimensions that are declared. */
  readonly dims: string;
  /** The names that it takes, with those of all that is in it. */
  readonly claims: readonly Claim[];
}

const sound = new WeakMap<Node, Sound>();

function verifyGraph(
  graph: Graph,
  inherited: ReadonlyMap<ValueId, TensorType>,
  dims: ReadonlySet<string>,
  names: Names,
  loop: LoopNode | undefined,
): ReadonlyMap<ValueId, TensorType> {
  const values = new Map<ValueId, TensorType>();
  const define = (id: ValueId, type: TensorType, what: string, context: () => string): void => {
    if (!inherited.has(id)) names.claim(id, what, context);
    checkType(id, type, dims, context);
    values.set(id, type);
  };
  for (const input of graph.inputs) {
    const context = () => header(graph);
    if (values.has(input.id)) fail(`input ${input.id} is declared twice`, context());
    define(input.id, input, `input ${input.id}`, context);
    if (input.below !== undefined && !(Number.isInteger(input.below) && input.below > 0)) {
      fail(`input ${input.id}: the bound ${input.below} is not a positive integer`, context());
    }
    if (input.donated && loop)
      fail(`input ${input.id}: only inputs of the outermost graph are donated`, context());
  }
  for (const param of graph.params) {
    if (loop) fail(`loop ${loop.id}: parameters belong to the outermost graph`, header(graph));
    define(param.id, param, `parameter ${param.id}`, () => header(graph));
  }
  const declared = [...dims].join(' ');
  graph.nodes.forEach((node, index) => {
    const context: Context = () => around(graph, index);
    const types = operandsOf(node).map((id) => values.get(id));
    const known = sound.get(node);
    if (known?.dims === declared && known.types.every((type, i) => type === types[i])) {
      for (const claim of known.claims) names.take(claim, context);
      for (const value of definedBy(node)) values.set(value.id, value);
      return;
    }
    const count = names.count;
    if (node.kind === 'op') verifyOp(node, values, dims, context);
    else verifyLoop(node, values, dims, names, context);
    for (const value of definedBy(node)) {
      if (inherited.has(value.id))
        fail(`${value.id} hides the value of the same name outside the loop`, context());
      define(value.id, value, `value ${value.id}`, context);
    }
    sound.set(node, { types, dims: declared, claims: names.since(count) });
  });
  const outputNames = new Set<string>();
  for (const output of graph.outputs) {
    if (!values.has(output.value)) {
      fail(`output ${JSON.stringify(output.name)}: there is no value ${output.value}`, footer(graph));
    }
    if (outputNames.has(output.name))
      fail(`output ${JSON.stringify(output.name)} is declared twice`, footer(graph));
    outputNames.add(output.name);
  }
  return values;
}

function verifyOp(
  node: OpNode,
  values: ReadonlyMap<ValueId, TensorType>,
  dims: ReadonlySet<string>,
  context: Context,
): void {
  const operands = node.operands.map((id, i) => {
    let type = typeOf(id, values, node.id, context);
    for (const part of node.reads ?? [])
      if (part.operand === i) type = partOf(node, part, type, dims, context);
    return type;
  });
  const positions = (node.reads ?? []).map(({ operand }) => operand);
  if (positions.some((at, i) => !(at in node.operands) || at < (positions[i - 1] ?? 0)))
    fail(
      `${node.id}: the parts it reads are not in order of its ${node.operands.length} operands`,
      context(),
    );
  if (!hasOp(node.op)) fail(`${node.id}: there is no op ${node.op}`, context());
  for (const [key, value] of Object.entries(node.attrs)) checkAttr(node.id, key, value, dims, context);
  let inferred: TensorType;
  try {
    inferred = opDef(node.op).infer(operands, node.attrs);
  } catch (error) {
    fail(`${node.id}: ${error instanceof Error ? error.message : String(error)}`, context());
  }
  if (inferred.dtype !== node.dtype || !sameShape(inferred.shape.map(canonicalDim), node.shape)) {
    fail(`${node.id} is ${printType(node)}, but ${node.op} gives ${printType(inferred)}`, context());
  }
  if (node.symbolic && node.symbolic.length !== node.shape.length) {
    fail(`${node.id}: symbolic shape ${printShape(node.symbolic)} has another rank`, context());
  }
}

/** The type of a part of an operand. */
function partOf(
  { id }: OpNode,
  part: OperandPart,
  type: TensorType,
  dims: ReadonlySet<string>,
  context: Context,
): TensorType {
  const { axis, start, length } = part;
  if (!(axis in type.shape))
    fail(`${id} reads a part along axis ${axis} of ${printShape(type.shape)}`, context());
  for (const dim of [start, length]) checkDim(id, dim, dims, context);
  return partType(type, part);
}

/** The names of an iteration, and what the borders of its slices are. */
function verifyHalos(loop: LoopNode, dims: ReadonlySet<string>, names: Names, context: Context): void {
  const what = `loop ${loop.id}`;
  for (const halo of loop.halos) {
    names.claim(halo.start, `the start of a halo of ${what}`, context);
    names.claim(halo.length, `the length of a halo of ${what}`, context);
    const { multiple, before, after } = halo;
    if (
      ![multiple, before, after].every(Number.isInteger) ||
      multiple < 1 ||
      before < 0 ||
      after <= -multiple
    )
      fail(`${what}: the halo ${halo.start} has no element in some iteration`, context());
    checkDim(`${what}, halo ${halo.start}`, halo.extent, dims, context);
  }
}

function verifyLoop(
  loop: LoopNode,
  values: ReadonlyMap<ValueId, TensorType>,
  dims: ReadonlySet<string>,
  names: Names,
  context: Context,
): void {
  const what = `loop ${loop.id}`;
  names.claimLoop(loop.id, context);
  names.claim(loop.start, `the start of ${what}`, context);
  names.claim(loop.length, `the length of ${what}`, context);
  verifyHalos(loop, dims, names, context);
  for (const [key, value] of [
    ['extent', loop.extent],
    ['chunk size', loop.chunkSize],
  ] as const) {
    checkDim(`${what}, ${key}`, value, dims, context);
    if (typeof value === 'number' && !(Number.isInteger(value) && value > 0))
      fail(`${what}: ${key} ${value} is not a positive integer`, context());
  }
  const { chunkSize, extent } = loop;
  if (typeof chunkSize === 'number' && typeof extent === 'number' && chunkSize > extent) {
    fail(`${what}: chunk size ${loop.chunkSize} exceeds the extent ${loop.extent}`, context());
  }
  if (definedBy(loop).length === 0) fail(`${what} has no result`, context());

  const expected = new Map<ValueId, TensorType>();
  for (const slice of loop.slices) {
    const outer = typeOf(slice.operand, values, what, context);
    checkCut(what, slice.operand, outer.shape, slice, loop, context);
    if (values.has(slice.as))
      fail(`${what}: the slice ${slice.as} has the name of an outer value`, context());
    if (expected.has(slice.as)) fail(`${what}: two slices are named ${slice.as}`, context());
    expected.set(slice.as, { dtype: outer.dtype, shape: cut(outer.shape, slice, loop) });
  }
  const whole = new Map<ValueId, TensorType>();
  for (const id of loop.whole) {
    if (whole.has(id)) fail(`${what}: ${id} is listed twice as seen whole`, context());
    whole.set(id, typeOf(id, values, what, context));
  }
  for (const { as, shape, dtype } of loop.carries) {
    if (values.has(as)) fail(`${what}: the carried value ${as} has the name of an outer value`, context());
    if (expected.has(as)) fail(`${what}: two inputs of the body are named ${as}`, context());
    expected.set(as, { shape, dtype });
  }
  const inputs = new Map<ValueId, TensorType>(loop.body.inputs.map((input) => [input.id, input]));
  for (const [id, type] of [...expected, ...whole]) {
    const input = inputs.get(id);
    if (!input) fail(`${what}: the body lacks the input ${id}`, context());
    if (input.dtype !== type.dtype || !sameShape(input.shape, type.shape)) {
      fail(`${what}: the body takes ${id} as ${printType(input)}, it is ${printType(type)}`, context());
    }
  }
  for (const id of inputs.keys()) {
    if (!expected.has(id) && !whole.has(id)) fail(`${what}: nothing feeds the body's input ${id}`, context());
  }
  const own = new Set([loop, ...loop.halos].flatMap(({ start, length }) => [start, length]));
  for (const dim of loop.body.dims) {
    if (!own.has(dim) && !dims.has(dim)) {
      fail(`${what}: the body declares the dimension ${dim}, which is not there`, context());
    }
  }
  const body = verifyGraph(loop.body, whole, new Set([...dims, ...own]), names, loop);
  for (const result of loop.results) {
    const value = body.get(result.value);
    if (!value) fail(`${what}: the body has no value ${result.value} for the result ${result.id}`, context());
    checkCut(what, result.id, result.shape, result, loop, context);
    const shape = cut(result.shape, result, loop);
    if (value.dtype !== result.dtype || !sameShape(value.shape, shape)) {
      const chunk = printType({ dtype: result.dtype, shape });
      fail(
        `${what}: ${result.id} takes ${chunk} from each iteration, ${result.value} is ${printType(value)}`,
        context(),
      );
    }
  }
  for (const carry of loop.carries) {
    const value = body.get(carry.value);
    if (!value) fail(`${what}: the body has no value ${carry.value} for ${carry.id}`, context());
    if (value.dtype !== carry.dtype || !sameShape(value.shape, carry.shape)) {
      fail(
        `${what}: ${carry.id} is carried as ${printType(carry)}, ${carry.value} is ${printType(value)}`,
        context(),
      );
    }
    if (!Number.isFinite(carry.init)) fail(`${what}: ${carry.id} starts from ${carry.init}`, context());
  }
}

function checkCut(
  what: string,
  id: ValueId,
  shape: Shape,
  at: LoopSlice | LoopResult,
  loop: LoopNode,
  context: Context,
): void {
  if (!Number.isInteger(at.axis) || at.axis < 0 || at.axis >= shape.length) {
    fail(`${what}: ${id} of shape ${printShape(shape)} has no axis ${at.axis}`, context());
  }
  if (!Number.isInteger(at.multiple) || at.multiple < 1) {
    fail(`${what}: the multiple ${at.multiple} of ${id} is not a positive integer`, context());
  }
  if (at.halo !== undefined) {
    const halo = loop.halos.find(({ start }) => start === at.halo);
    const group = at.multiple / (halo?.multiple ?? 1);
    if (!halo || !Number.isInteger(group) || mulDims(group, halo.extent) !== shape[at.axis]) {
      fail(`${what}: axis ${at.axis} of ${id} is cut along a halo ${at.halo} that is not its own`, context());
    }
    const { multiple, before, after, extent } = halo;
    const reached = addDims(mulDims(multiple, loop.extent), after);
    const isReached = typeof reached !== 'number' || typeof extent !== 'number' || reached >= extent;
    if (!('as' in at) && (before + after < 0 || !isReached)) {
      fail(`${what}: the iterations leave out elements of ${id} along axis ${at.axis}`, context());
    }
    return;
  }
  const left = subDims(shape[at.axis] as Dim, mulDims(at.multiple, loop.extent));
  // What no iteration reads of a slice may be left over.
  if (left !== 0 && !('as' in at && typeof left === 'number' && left > 0)) {
    const product = `${at.multiple} · ${loop.extent}`;
    fail(`${what}: axis ${at.axis} of ${id} has extent ${shape[at.axis]}, expected ${product}`, context());
  }
}

const cut = (shape: Shape, at: LoopSlice | LoopResult, loop: LoopNode): Shape =>
  shape.map((dim, axis) => (axis === at.axis ? rangeOf(loop, at).length : dim));

function typeOf(
  id: ValueId,
  values: ReadonlyMap<ValueId, TensorType>,
  user: string,
  context: Context,
): TensorType {
  const type = values.get(id);
  if (!type) fail(`${user} uses ${id}, which is not defined before it`, context());
  return type;
}

function checkType(id: ValueId, type: TensorType, dims: ReadonlySet<string>, context: () => string): void {
  if (type.dtype !== 'f32' && type.dtype !== 'i32')
    fail(`${id}: unknown element type ${type.dtype}`, context());
  for (const dim of type.shape) {
    checkDim(id, dim, dims, context);
    if (typeof dim === 'number' && !(Number.isInteger(dim) && dim > 0)) {
      fail(`${id}: the extent ${dim} is not a positive integer`, context());
    }
  }
}

function checkDim(id: string, dim: Dim, dims: ReadonlySet<string>, context: () => string): void {
  if (typeof dim === 'number') return;
  let canonical: Dim;
  try {
    canonical = canonicalDim(dim);
  } catch {
    fail(`${id}: ${JSON.stringify(dim)} is not a dimension`, context());
  }
  if (canonical !== dim) fail(`${id}: the dimension ${dim} is not canonical (${canonical})`, context());
  for (const name of dimNames(dim)) {
    if (!dims.has(name)) fail(`${id}: the dimension ${name} is not declared here`, context());
  }
}

function checkAttr(
  id: ValueId,
  key: string,
  value: AttrValue,
  dims: ReadonlySet<string>,
  context: () => string,
): void {
  if (isTextAttr(value)) return;
  for (const dim of typeof value === 'object' ? value : [value]) {
    if (typeof dim === 'string') checkDim(`${id}, attribute ${key}`, dim, dims, context);
  }
}
