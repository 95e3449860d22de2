import type { Dim, Shape } from './dims.ts';

/** i32 values are exact integers of magnitude ≤ 2^24 (token ids, indices): kernels hold them in 4-byte floats. */
export type DType = 'f32' | 'i32';
/** Both element types take 4 bytes. */
export const BYTES_PER_ELEMENT = 4;

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Name of a value, unique in its graph and everything nested in it; a valid JavaScript identifier. */
export type ValueId = string;

/** Where in the author's source a value was made. `file` is relative to the working directory of the trace. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Attributes are plain data, so that graphs print, parse and compare. A `Dim` may depend on named dimensions. */
export type AttrValue = boolean | Dim | readonly Dim[] | TextAttr;
/** Text that is not a dimension, such as the equation of an einsum. */
export interface TextAttr {
  readonly text: string;
}
export type Attrs = Readonly<Record<string, AttrValue>>;
export const isTextAttr = (value: AttrValue | undefined): value is TextAttr =>
  typeof value === 'object' && 'text' in value;

/** What the author asked of the compiler for this node. */
export interface Hints {
  /** Never put this node inside a chunk loop. */
  readonly noChunk?: boolean;
  /** Prefer loops over this named dimension. */
  readonly preferChunk?: string;
  /** Name of the author's region: the compiler tries it as a chunk region before any other. */
  readonly region?: string;
}

/** Elements `start … start + length` of an axis of an operand. */
export interface OperandPart {
  /** Which operand, by position. */
  readonly operand: number;
  readonly axis: number;
  readonly start: Dim;
  readonly length: Dim;
}

/** The type of a part of an operand. */
export const partType = ({ shape, dtype }: TensorType, { axis, length }: OperandPart): TensorType => ({
  shape: shape.map((dim, i) => (i === axis ? length : dim)),
  dtype,
});

/** A value of the model that a fused op computes on the way to its own, and where it was made. */
export interface FusedPart {
  readonly id: ValueId;
  readonly scope: string;
  readonly at?: SourceLocation;
}

/** One operation; produces the value named `id`. */
export interface OpNode extends TensorType {
  readonly kind: 'op';
  readonly id: ValueId;
  readonly op: string;
  readonly operands: readonly ValueId[];
  readonly attrs: Attrs;
  /**
   * Operands of which only a part is read, in order of the operands. In bodies of loops: another node there reads more of
   * the operand than this one.
   */
  readonly reads?: readonly OperandPart[];
  /** Scope path of the author, e.g. `h.0.attn`; '' at top level. */
  readonly scope: string;
  readonly at?: SourceLocation;
  readonly hints?: Hints;
  /** Of fused ops: in the order in which they are computed. */
  readonly parts?: readonly FusedPart[];
  /** The shape in named dimensions, kept when `specialise` binds `shape` to numbers. */
  readonly symbolic?: Shape;
}

/**
 * Elements that an iteration sees or writes of an axis with borders: `multiple·start − before … multiple·(start + length) +
 * after` of the loop's start and length, as far as there are elements. Iterations next to each other share the borders.
 */
export interface LoopHalo {
  /** Names, unique in the graph, that body dimensions and attributes use for the first element and the element count. */
  readonly start: string;
  readonly length: string;
  readonly multiple: number;
  readonly before: number;
  readonly after: number;
  /** Elements of the axis. */
  readonly extent: Dim;
}

/**
 * An operand cut along `axis`: an iteration sees elements `multiple·start … multiple·(start + length)` or, where the slice
 * names a halo by its start, those of the halo.
 */
export interface LoopSlice {
  readonly operand: ValueId;
  /** The name of the slice inside the body (an input of `body`). */
  readonly as: ValueId;
  readonly axis: number;
  readonly multiple: number;
  readonly halo?: string;
}

/**
 * A body value gathered over the iterations into the outer value `id`. With a halo, iterations write their borders too:
 * all that compute an element compute the same.
 */
export interface LoopResult extends TensorType {
  readonly kind: 'concat';
  readonly id: ValueId;
  /** The value of the body. */
  readonly value: ValueId;
  readonly axis: number;
  readonly multiple: number;
  readonly halo?: string;
}

/** What a carried value is, for people. */
export const CARRY_ROLES = ['sum', 'maximum', 'minimum', 'numerator', 'denominator', 'moments'] as const;
export type CarryRole = (typeof CARRY_ROLES)[number];

/** A value that every iteration updates: a sum over the chunks, the largest element so far. */
export interface LoopCarry extends TensorType {
  /** The outer value after the loop. */
  readonly id: ValueId;
  /** Its name inside the body (an input of `body`): what the iteration before left, `init` everywhere at first. */
  readonly as: ValueId;
  /** The value of the body that this iteration leaves. */
  readonly value: ValueId;
  readonly init: number;
  readonly role: CarryRole;
  /** The value of the graph around, as it is without the loop, that the loop computes this for. */
  readonly of: ValueId;
}

/**
 * A chunk loop. Iteration i covers units `start = i·chunkSize … min(start + chunkSize, extent)`. Inside `body`,
 * dimensions may depend on the names `start` and `length` (the last iteration may be shorter than `chunkSize`).
 */
export interface LoopNode {
  readonly kind: 'loop';
  readonly id: string;
  /** What is cut, for people: a dimension name of the model such as `N`, or `axis of 8` where the extent has no name. */
  readonly over: string;
  /** A number, or a dimension in names bound at run time. */
  readonly extent: Dim;
  /** A number, or a name bound at run time. At most the extent. */
  readonly chunkSize: Dim;
  /** Names, unique in the graph, that body dimensions and attributes use for the first unit and the unit count. */
  readonly start: string;
  readonly length: string;
  /** The borders that slices, results and the body name. */
  readonly halos: readonly LoopHalo[];
  readonly slices: readonly LoopSlice[];
  /** Outer values seen whole; the body refers to them by their outer names. */
  readonly whole: readonly ValueId[];
  readonly body: Graph;
  readonly results: readonly LoopResult[];
  /** Results that no iteration makes alone. A loop with any splits a reduction: float results differ in their last bits. */
  readonly carries: readonly LoopCarry[];
  /** Common scope path of the body. */
  readonly scope: string;
}

export type Node = OpNode | LoopNode;

export interface GraphInput extends TensorType {
  readonly id: ValueId;
  /** Exclusive upper bound of an index input such as token ids, checked at run time. */
  readonly below?: number;
  /** The program owns the storage: it is freed after its last use, unless an output is a view of it. */
  readonly donated?: boolean;
}

/** A parameter: counted apart from activations. `key` is its state-dict name. */
export interface GraphParam extends TensorType {
  readonly id: ValueId;
  readonly key: string;
}

export interface GraphOutput {
  readonly name: string;
  readonly value: ValueId;
}

/** Values in execution order. A loop body is a graph whose inputs are its slices and whole operands. */
export interface Graph {
  readonly name: string;
  /** Named dimensions, in order of first use. Empty once specialised. */
  readonly dims: readonly string[];
  readonly inputs: readonly GraphInput[];
  readonly params: readonly GraphParam[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly GraphOutput[];
}

/** A value with its name and type. */
export type Value = TensorType & { readonly id: ValueId };

/** The values a node defines. */
export const definedBy = (node: Node): readonly Value[] =>
  node.kind === 'op' ? [node] : node.carries.length === 0 ? node.results : [...node.results, ...node.carries];

/** A value of the graph around, as it is without the loop, that a loop computes. */
export function resultOf({ results, carries }: LoopNode): ValueId {
  const [first] = results;
  return first ? first.id : (carries[0] as LoopCarry).of;
}

/** The outer values a node reads. */
export const operandsOf = (node: Node): readonly ValueId[] =>
  node.kind === 'op' ? node.operands : [...node.slices.map((slice) => slice.operand), ...node.whole];
