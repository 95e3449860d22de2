/** The trace in progress: ops of the DSL append their nodes here. */
import type { InputSpec } from '../dsl/model.ts';
import { SymbolicTensor, type Tensor } from '../dsl/tensor.ts';
import { UserError } from '../errors.ts';
import { canonicalDim, type Dim, dimNames, printShape, type Shape, sameShape } from '../ir/dims.ts';
import {
  type Attrs,
  type AttrValue,
  type Graph,
  type GraphInput,
  type GraphParam,
  type Hints,
  isTextAttr,
  type OpNode,
  type SourceLocation,
  type TensorType,
} from '../ir/node.ts';
import { opDef } from '../ir/ops/index.ts';
import { ShapeError } from '../ir/ops/op.ts';
import { type CallSite, callSite, locationOf, printSite } from './call-site.ts';
import { isPropertyName, NameSpace, variableAt } from './names.ts';

let active: Recorder | undefined;

/** Sums and differences of products of names and integers. */
const DIMENSION = dimensionSyntax();

function dimensionSyntax(): RegExp {
  const factor = String.raw`\s*(?:\d+|[A-Za-z_$][\w$]*)\s*`;
  const product = `${factor}(?:\\*${factor})*`;
  return new RegExp(`^-?${product}(?:[+-]${product})*$`);
}

/** The recorder of the model being traced. Throws UserError naming `what` when there is none. */
export function recorder(what: string): Recorder {
  if (active) return active;
  const site = callSite();
  throw new UserError(
    `${what}: no model is being traced; call tensor operations inside the forward function of defineModel${site ? `\n  at ${printSite(site)}` : ''}`,
  );
}

/** Runs `body` with `next` as the recorder that operations write to. */
export function recordingWith<T>(next: Recorder, body: () => T): T {
  if (active)
    throw new UserError(`cannot trace a model while tracing ${active.name}; call its functions instead`);
  active = next;
  try {
    return body();
  } finally {
    active = undefined;
  }
}

export interface RecordOptions {
  /** Name of the value, instead of the author's variable. */
  readonly name?: string;
  /** Name where the source shows no variable; by default that of the op. */
  readonly fallback?: string;
  /** Which variable of a destructuring assignment this value is. */
  readonly part?: number;
  /** Place in the source, instead of the call site. */
  readonly at?: SourceLocation | undefined;
}

export class Recorder {
  readonly name: string;
  readonly #at: SourceLocation | undefined;
  readonly #names = new NameSpace();
  readonly #inputs: GraphInput[] = [];
  readonly #params = new Map<string, { readonly param: GraphParam; readonly site: CallSite | undefined }>();
  readonly #nodes: OpNode[] = [];
  readonly #nodeAt = new Map<string, number>();
  readonly #scopes: string[] = [];
  readonly #hints: Hints[] = [];
  /** The author's call that all that is recorded now belongs to. */
  #call: { readonly site: CallSite | undefined } | undefined;
  /** The scope in which an error was thrown: the stack is unwound when it is reported. */
  #failure: { readonly error: unknown; readonly scope: string } | undefined;

  /** @param at where the model was defined, for errors in its inputs */
  constructor(name: string, at?: SourceLocation) {
    this.name = name;
    this.#at = at;
  }

  /** The scope path, e.g. `h.0.attn`. */
  get scope(): string {
    return this.#scopes.join('.');
  }

  /** Where the author's code called the library. */
  site(): CallSite | undefined {
    return this.#call ? this.#call.site : callSite();
  }

  /** Records all that `body`, which is not the author's, does as made by one call: where that is is found out once. */
  asOneCall<T>(body: () => T): T {
    if (this.#call) return body();
    this.#call = { site: callSite() };
    try {
      return body();
    } finally {
      this.#call = undefined;
    }
  }

  input(name: string, { shape, dtype, below, donated }: InputSpec): SymbolicTensor {
    const where = `defineModel ${this.name}: input "${name}"`;
    if (!isPropertyName(name)) {
      throw this.fault(`${where} is not an identifier; use letters, digits and _`, this.#at);
    }
    const type = { shape: this.#dims(where, shape, this.#at), dtype };
    this.#inputs.push({
      id: this.#names.reserve(name),
      ...type,
      ...(below === undefined ? {} : { below }),
      ...(donated ? { donated } : {}),
    });
    return new SymbolicTensor(this, name, type.shape, dtype);
  }

  /** Lowers the exclusive bound of an index input; does nothing for other values. */
  bound(what: string, tensor: Tensor, below: Dim): void {
    const { id } = this.own(what, tensor);
    const at = this.#inputs.findIndex((input) => input.id === id);
    const input = this.#inputs[at];
    if (!input || typeof below !== 'number') return;
    this.#inputs[at] = { ...input, below: Math.min(input.below ?? below, below) };
  }

  /** The parameter `key` inside the current scope: the same one whenever the same key is asked for. */
  param(key: string, shape: Shape): SymbolicTensor {
    const site = this.site();
    const full = [...this.#scopes, key].join('.');
    if (key === '') throw this.fault('param: expected a name, got an empty string', site);
    const dims = this.#dims(`param "${full}"`, shape, site);
    const known = this.#params.get(full);
    if (!known) {
      const param = { id: this.#names.claim(full), key: full, shape: dims, dtype: 'f32' as const };
      this.#params.set(full, { param, site });
      return new SymbolicTensor(this, param.id, dims, 'f32');
    }
    if (!sameShape(known.param.shape, dims)) {
      throw this.fault(
        `param "${full}": declared as ${printShape(known.param.shape)}${known.site ? ` at ${printSite(known.site)}` : ''}, now as ${printShape(dims)}; tied parameters must have one shape`,
        site,
      );
    }
    return new SymbolicTensor(this, known.param.id, dims, 'f32');
  }

  /** Appends an op and returns its value. Throws UserError with the call site when the operands do not fit. */
  op(op: string, operands: readonly Tensor[], attrs: Attrs, options: RecordOptions = {}): SymbolicTensor {
    const call = 'at' in options ? undefined : this.site();
    const site = call ?? options.at;
    const own = operands.map((operand) => this.own(op, operand, site));
    const type = this.#infer(op, own, attrs, site);
    const id = this.#names.claim(
      options.name ?? this.#variable(call, options.part) ?? options.fallback ?? op.replace(/Scalar$/, ''),
    );
    const hints = Object.assign({}, ...this.#hints) as Hints;
    this.#nodeAt.set(id, this.#nodes.length);
    this.#nodes.push({
      kind: 'op',
      id,
      op,
      operands: own.map((operand) => operand.id),
      attrs,
      shape: type.shape,
      dtype: type.dtype,
      scope: this.scope,
      ...(call ? { at: locationOf(call) } : site ? { at: site } : {}),
      ...(Object.keys(hints).length > 0 ? { hints } : {}),
    });
    return new SymbolicTensor(this, id, type.shape, type.dtype);
  }

  /** Adds hints to the op that made a value. */
  hint(what: string, tensor: Tensor, hints: Hints): void {
    const site = callSite();
    const { id } = this.own(what, tensor, site);
    const at = this.#nodeAt.get(id);
    const made = at === undefined ? undefined : this.#nodes[at];
    if (at === undefined || !made) {
      throw this.fault(`${what}: expected the result of an operation, got an input or a parameter`, site);
    }
    this.#nodes[at] = { ...made, hints: { ...made.hints, ...hints } };
  }

  scoped<T>(name: string, body: () => T): T {
    if (typeof name !== 'string' || name === '') {
      throw this.fault(`scope: expected a name, got ${JSON.stringify(name)}`, callSite());
    }
    return within(this.#scopes, name, () => {
      try {
        return this.#synchronous(`scope "${name}"`, body);
      } catch (error) {
        if (this.#failure?.error !== error) this.#failure = { error, scope: this.scope };
        throw error;
      }
    });
  }

  hinted<T>(hints: Hints, body: () => T): T {
    return within(this.#hints, hints, () => this.#synchronous(Object.keys(hints).join(), body));
  }

  /** The graph so far with the given outputs. Inputs and parameters that are outputs are copied. */
  graph(outputs: readonly (readonly [name: string, tensor: Tensor])[]): Graph {
    const values = outputs.map(([name, tensor]) => {
      const { id } = this.own(`output "${name}"`, tensor);
      return {
        name,
        value: this.#nodeAt.has(id) ? id : this.op('copy', [tensor], {}, { name, at: this.#at }).id,
      };
    });
    const params = [...this.#params.values()].map(({ param }) => param);
    const dims = this.#dimNames(params);
    for (const { hints, at } of this.#nodes) {
      if (hints?.preferChunk !== undefined && !dims.includes(hints.preferChunk)) {
        throw this.fault(
          `preferChunk: the model has no dimension ${hints.preferChunk}; it has ${dims.join(', ') || 'none'}`,
          at,
        );
      }
    }
    return {
      name: this.name,
      dims,
      inputs: this.#inputs,
      params,
      nodes: this.#nodes,
      outputs: values,
    };
  }

  /** A user error at a call site, with the scope. */
  fault(message: string, site: SourceLocation | undefined, cause?: unknown): UserError {
    const path = cause !== undefined && this.#failure?.error === cause ? this.#failure.scope : this.scope;
    const scope = path === '' ? '' : `${site ? ', ' : ''}in scope ${path}`;
    const where = `${site ? `at ${printSite(site)}` : ''}${scope}`;
    return new UserError(where === '' ? message : `${message}\n  ${where}`, { cause });
  }

  /** The tensor as one of this trace; UserError otherwise. */
  own(what: string, tensor: Tensor, site?: SourceLocation): SymbolicTensor {
    if (tensor instanceof SymbolicTensor && tensor.owner === this) return tensor;
    const got = tensor instanceof SymbolicTensor ? 'a tensor of another model' : describe(tensor);
    throw this.fault(`${what}: expected a tensor of this model, got ${got}`, site ?? callSite());
  }

  #infer(
    op: string,
    operands: readonly SymbolicTensor[],
    attrs: Attrs,
    site: SourceLocation | undefined,
  ): TensorType {
    try {
      return opDef(op).infer(operands, attrs);
    } catch (error) {
      if (error instanceof ShapeError) throw this.fault(error.message, site, error);
      throw error;
    }
  }

  #dims(what: string, shape: Shape, site: SourceLocation | undefined): Shape {
    return shape.map((dim) => {
      const known = typeof dim === 'string' && DIMENSION.test(dim) ? canonicalDim(dim) : dim;
      if (typeof known === 'string' ? DIMENSION.test(known) : Number.isInteger(known) && known > 0)
        return known;
      throw this.fault(
        `${what}: expected positive integers and dimension names such as 'N', got ${JSON.stringify(dim)} in ${printShape(shape)}`,
        site,
      );
    });
  }

  #variable(site: CallSite | undefined, part: number | undefined): string | undefined {
    const variable = site && variableAt(site);
    if (typeof variable === 'object') return part === undefined ? undefined : variable[part] || undefined;
    return part === undefined || variable === undefined ? variable : `${variable}_${part}`;
  }

  #synchronous<T>(what: string, body: () => T): T {
    const result = body();
    if (result instanceof Promise) {
      throw this.fault(
        `${what}: expected a plain function, got an async one; models are traced synchronously`,
        callSite(),
      );
    }
    return result;
  }

  #dimNames(params: readonly GraphParam[]): string[] {
    const names = new Set<string>();
    const visit = (dims: readonly Dim[]): void => {
      for (const dim of dims) for (const name of dimNames(dim)) names.add(name);
    };
    for (const value of [...this.#inputs, ...params]) visit(value.shape);
    for (const node of this.#nodes) {
      visit(node.shape);
      for (const value of Object.values(node.attrs)) visit(dimsOf(value));
    }
    return [...names];
  }
}

const dimsOf = (value: AttrValue): readonly Dim[] =>
  typeof value === 'boolean' || isTextAttr(value) ? [] : typeof value === 'object' ? value : [value];

function within<S, T>(stack: S[], item: S, body: () => T): T {
  stack.push(item);
  try {
    return body();
  } finally {
    stack.pop();
  }
}

/** A value as messages name it. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object') return value instanceof Promise ? 'a promise' : 'an object';
  return JSON.stringify(value);
}
