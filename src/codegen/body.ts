import { formatBytes } from '../ir/bytes.ts';
import { type Bindings, evalDim, type Shape } from '../ir/dims.ts';
import { fullestIteration } from '../ir/loop.ts';
import {
  BYTES_PER_ELEMENT,
  type CarryRole,
  type DType,
  type LoopNode,
  type OpNode,
  type ValueId,
} from '../ir/node.ts';
import type { Step } from '../ir/program.ts';
import { breakCall } from './break-call.ts';
import { CARRY_NOTES, describeLoop, type SourceNames, sourceOf, type WrittenPlan } from './describe.ts';
import { dimension, type Frame, shapeLiteral, shownDimension, viewCall, viewShape } from './expression.ts';
import { nameFormulas } from './formulas.ts';
import { attributesOf, kernelOf } from './kernel-call.ts';
import { type Line, layOut, WIDTH } from './lines.ts';
import { loopVariables } from './loop-variables.ts';
import { chooseNames, type LoopNames } from './names.ts';
import { sectionHeadings } from './sections.ts';
import { comment, literal, objectKey, property } from './text.ts';
import { countUses } from './uses.ts';

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>;

/** The statements of `run`, one a line, and which of its arguments they mention. */
export interface Body {
  readonly lines: readonly string[];
  readonly usesInputs: boolean;
  readonly usesParams: boolean;
  readonly usesDevice: boolean;
  readonly usesKernels: boolean;
  /** The kernels of fused ops: names by formula. */
  readonly formulas: ReadonlyMap<string, string>;
  /** Names that code mentions, of variables and other things. */
  readonly mentions: ReadonlySet<string>;
}

/** Writes the steps of a plan's program as statements. `sizes` give the names that are bound at run time, for comments. */
export function writeBody(plan: WrittenPlan, sources: SourceNames, sizes: Bindings = {}): Body {
  return new BodyWriter(plan, sources, sizes).write();
}

/** Views made once and used once are written where they are used, up to this length. */
const INLINE_WIDTH = 56;
const INLINE_CALLS = 2;
/** Names that the tracer gives when the author gave none. */
const ANONYMOUS = /^(reshape|permute|slice|expand|transpose|squeeze|unsqueeze|split)[_\d]*$/;

class BodyWriter {
  readonly #plan: WrittenPlan;
  readonly #sources: SourceNames;
  readonly #names: ReturnType<typeof chooseNames>;
  readonly #reports: ReadonlyMap<string, WrittenPlan['loops'][number]>;
  readonly #formulas: ReadonlyMap<string, string>;
  readonly #uses: ReturnType<typeof countUses>;
  readonly #types = new Map<ValueId, { shape: Shape; dtype: DType }>();
  readonly #expressions = new Map<ValueId, string>();
  /** View calls in an inlined expression. */
  readonly #chains = new Map<ValueId, number>();
  readonly #allocations = new Set<ValueId>();
  /** What loops carry, by the storage it is carried in. */
  readonly #carried = new Map<ValueId, CarryRole>();
  /** Values that a call has introduced. */
  readonly #declared = new Set<ValueId>();
  /** The storages that views see. */
  readonly #storages = new Map<ValueId, ValueId>();
  /** The value that was written last in place of what a storage held. */
  readonly #newest = new Map<ValueId, ValueId>();
  readonly #lines: Line[] = [];
  readonly #used = new Set<ValueId>();
  readonly #peakValue: ValueId | undefined;
  /** The scope that heads the section of a step of the given scope. */
  readonly #heading: (scope: string) => string;
  #frames: Frame[] = [];
  #bindings: Bindings;
  #scope = '';
  #callsKernels = false;
  /** Does the code tell the device where it is? */
  #watched = false;

  constructor(plan: WrittenPlan, sources: SourceNames, sizes: Bindings) {
    this.#plan = plan;
    this.#sources = sources;
    this.#bindings = sizes;
    this.#reports = new Map(plan.loops.map((report) => [report.id, report]));
    this.#formulas = nameFormulas(plan.program, Object.keys(sizes));
    this.#names = chooseNames(plan.program, [...Object.keys(sizes), ...this.#formulas.values()]);
    this.#uses = countUses(plan.program);
    this.#heading = sectionHeadings(plan.program);
    this.#peakValue = plan.planned.timeline[plan.planned.peakIndex]?.value;
    for (const input of plan.program.inputs) {
      this.#types.set(input.id, input);
      this.#expressions.set(input.id, property('inputs', input.id));
    }
    for (const param of plan.program.params) {
      this.#types.set(param.id, param);
      this.#expressions.set(param.id, property('params', param.id));
    }
  }

  write(): Body {
    const { program } = this.#plan;
    this.#steps(program.steps, 0);
    this.#return();
    const lines = this.#lines;
    const uses = (ids: readonly { id: ValueId }[]): boolean => ids.some(({ id }) => this.#used.has(id));
    return {
      lines: layOut(lines),
      usesInputs: uses(program.inputs),
      usesParams: uses(program.params),
      usesDevice: this.#allocations.size > 0 || this.#watched,
      usesKernels: this.#callsKernels,
      formulas: this.#formulas,
      get mentions() {
        return new Set(lines.flatMap(({ code }) => namesIn(code)));
      },
    };
  }

  #steps(steps: readonly Step[], depth: number): void {
    for (const step of steps) {
      if (step.kind === 'loop') for (const { id, role } of step.loop.carries) this.#carried.set(id, role);
    }
    steps.forEach((step, index) => {
      switch (step.kind) {
        case 'alloc':
          this.#types.set(step.value, step);
          this.#allocations.add(step.value);
          if (this.#uses.introduced.has(step.value)) return;
          this.#section(scopeOf(steps, index), depth);
          this.#alloc(step, depth);
          return;
        case 'view':
          this.#view(step, depth);
          return;
        case 'call':
          this.#section(step.node.scope, depth);
          this.#call(step, depth);
          return;
        case 'free':
          this.#free(step, depth);
          return;
        case 'loop':
          this.#section(step.loop.scope, depth);
          this.#loop(step, depth);
          return;
        default:
          step satisfies never;
      }
    });
  }

  /** A heading where the author's scope changes. */
  #section(path: string | undefined, depth: number): void {
    if (path === undefined) return;
    const scope = this.#heading(path);
    if (scope === this.#scope) return;
    this.#scope = scope;
    const last = this.#lines.at(-1);
    if (last && !last.code.endsWith('{')) this.#push({ indent: 0, code: '' });
    if (depth > 0) {
      this.#push({ indent: depth, code: `// — ${scope === '' ? 'top level' : comment(scope)}` });
      return;
    }
    this.#watched = true;
    const note = scope === '' ? { note: 'top level' } : {};
    this.#push({ indent: depth, code: `await device.enter(${literal(scope)});`, ...note });
  }

  #alloc(step: StepOf<'alloc'>, depth: number): void {
    const size = `${this.#type(step)} · ${this.#bytes(step.shape)}`;
    const note = step.role === 'scratch' ? `${size} scratch` : this.#markPeak(size, [step.value]);
    const code = `const ${this.#name(step.value)} = ${this.#allocation(step.value, step)};`;
    this.#push({ indent: depth, code, note });
  }

  #allocation(value: ValueId, { shape, dtype }: { shape: Shape; dtype: DType }): string {
    const at = this.#plan.arena?.offsets.get(value);
    const options = [
      ...(at === undefined ? [] : [`at: ${at}`]),
      ...(dtype === 'f32' ? [] : [`dtype: '${dtype}'`]),
    ];
    const more = options.length > 0 ? `, { ${options.join(', ')} }` : '';
    return `device.alloc(${shapeLiteral(shape, this.#frames)}${more})`;
  }

  #view(step: StepOf<'view'>, depth: number): void {
    const uses = this.#uses.count.get(step.value) ?? 0;
    const of = this.#types.get(step.of) as { shape: Shape; dtype: DType };
    const type = { dtype: of.dtype, shape: viewShape(step.view, of.shape) };
    this.#types.set(step.value, type);
    const storage = this.#storageOf(step.of);
    this.#storages.set(step.value, storage);
    if (step.view.kind === 'same') this.#newest.set(storage, step.value);
    if (uses === 0) return;
    const chain = (this.#chains.get(step.of) ?? 0) + 1;
    const code = this.#expression(step.of) + viewCall(step.view, this.#frames);
    const nameless = step.node === undefined || ANONYMOUS.test(step.value);
    const inline = uses === 1 && nameless && chain <= INLINE_CALLS && code.length <= INLINE_WIDTH;
    if (inline || this.#uses.introduced.has(step.value)) {
      this.#expressions.set(step.value, code);
      this.#chains.set(step.value, chain);
      return;
    }
    this.#section(step.node?.scope, depth);
    this.#push({
      indent: depth,
      code: `const ${this.#name(step.value)} = ${code};`,
      note: step.view.kind === 'same' ? inPlaceOf(code) : this.#type(type),
      ...this.#at(step.node),
    });
    this.#expressions.set(step.value, this.#name(step.value));
  }

  #call(step: StepOf<'call'>, depth: number): void {
    const { node, into } = step;
    this.#callsKernels = true;
    const operands = step.operands.map((id) => this.#expression(id));
    const options = attributesOf(node, this.#frames);
    const type = this.#types.get(into) as { shape: Shape; dtype: DType };
    let declaration = '';
    let note: string | undefined;
    if (this.#uses.introduced.has(into) && !this.#declared.has(into)) {
      this.#declared.add(into);
      const allocated = this.#allocations.has(into);
      const target = allocated ? this.#allocation(into, type) : this.#expression(into);
      options.push(`into: ${target}`);
      if (allocated || (this.#uses.count.get(into) ?? 0) > 1) {
        declaration = `const ${this.#name(into)} = `;
        this.#expressions.set(into, this.#name(into));
        this.#chains.delete(into);
        note = allocated ? `${this.#type(type)} · ${this.#bytes(type.shape)}` : this.#type(type);
      }
      if (step.operands.some((id) => this.#storageOf(id) === this.#storageOf(into)))
        note = [...(note ? [note] : []), inPlaceOf(target)].join(' ');
    } else {
      options.push(`into: ${this.#expression(into)}`);
    }
    if (step.scratch.length > 0) {
      options.push(`scratch: [${step.scratch.map((id) => this.#expression(id)).join(', ')}]`);
    }
    const lines = breakCall(
      `${declaration}${kernelOf(node, this.#formulas)}(`,
      operands,
      options,
      WIDTH - 2 * depth,
    );
    const carried = node.op === 'full' ? this.#carried.get(into) : undefined;
    if (carried) note = note ? `${note} · ${CARRY_NOTES[carried]}` : CARRY_NOTES[carried];
    note = this.#markPeak(note ?? '', [into, node.id, ...step.scratch]);
    lines.forEach(({ indent, code }, i) => {
      const remark = i === 0 ? { ...(note ? { note } : {}), ...this.#at(node) } : {};
      this.#push({ indent: depth + indent, code, ...remark });
    });
  }

  #free(step: StepOf<'free'>, depth: number): void {
    const code = `${this.#expression(this.#newest.get(step.value) ?? step.value)}.free();`;
    if (this.#plan.program.inputs.some(({ id }) => id === step.value)) {
      this.#push({ indent: depth, code, note: 'donated' });
      return;
    }
    const last = this.#lines.at(-1);
    if (
      last?.code.endsWith('.free();') &&
      last.note === undefined &&
      last.indent === depth &&
      last.code.length + code.length < WIDTH - 2 * depth
    ) {
      this.#lines[this.#lines.length - 1] = { indent: depth, code: `${last.code} ${code}` };
    } else {
      this.#push({ indent: depth, code });
    }
  }

  #loop({ loop, steps }: StepOf<'loop'>, depth: number): void {
    const names = this.#names.loops.get(loop.id) as LoopNames;
    const frame: Frame = { loop, names, usesStop: false, usesLength: false, usedHalos: new Set() };
    const { start } = names;
    const extent = dimension(loop.extent, this.#frames);
    const chunkSize = dimension(loop.chunkSize, this.#frames);
    const report = this.#reports.get(loop.id);
    this.#push({
      indent: depth,
      code: `for (let ${start} = 0; ${start} < ${extent}; ${start} += ${chunkSize}) {`,
      note: describeLoop(loop, report),
    });
    const bodyStart = this.#lines.length;
    const bindings = this.#bindings;
    this.#frames = [frame, ...this.#frames];
    this.#bindings = fullestIteration(loop, bindings);
    this.#steps(steps, depth + 1);
    this.#frames = this.#frames.slice(1);
    this.#bindings = bindings;

    this.#watched = true;
    const declared = loopVariables(frame, this.#frames).map((line) => ({ indent: depth + 1, ...line }));
    this.#lines.splice(bodyStart, 0, ...declared);
    this.#push({ indent: depth, code: '}' });
    this.#scope = this.#heading(loop.scope);
  }

  #return(): void {
    const entries = this.#plan.program.outputs.map(({ name, value }) => {
      const text = this.#expression(value);
      return text === name && name !== '__proto__' ? name : `${objectKey(name)}: ${text}`;
    });
    const oneLine = `return { ${entries.join(', ')} };`;
    if (this.#lines.length > 0) this.#push({ indent: 0, code: '' });
    if (oneLine.length <= WIDTH) this.#push({ indent: 0, code: oneLine });
    else {
      this.#push({ indent: 0, code: 'return {' });
      for (const entry of entries) this.#push({ indent: 1, code: `${entry},` });
      this.#push({ indent: 0, code: '};' });
    }
  }

  #expression(id: ValueId): string {
    this.#used.add(id);
    return this.#expressions.get(id) ?? this.#name(id);
  }

  #storageOf = (id: ValueId): ValueId => this.#storages.get(id) ?? id;

  #name = (id: ValueId): string => this.#names.values.get(id) as string;

  #type = ({ shape, dtype }: { shape: Shape; dtype: DType }): string =>
    `${dtype}[${shape.map((dim) => shownDimension(dim, this.#frames)).join(', ')}]`;

  /** Size with full chunks. */
  #bytes(shape: Shape): string {
    return formatBytes(shape.reduce<number>((n, dim) => n * evalDim(dim, this.#bindings), BYTES_PER_ELEMENT));
  }

  #markPeak(note: string, ids: readonly ValueId[]): string {
    if (this.#peakValue === undefined || !ids.includes(this.#peakValue)) return note;
    return note === '' ? '← peak' : `${note} ← peak`;
  }

  #at(node: OpNode | undefined): { at?: string } {
    const at = node ? sourceOf(node, this.#sources) : '';
    return at === '' ? {} : { at };
  }

  #push(line: Line): void {
    this.#lines.push(line);
  }
}

/** The names in a line of code, without what its strings say. */
const namesIn = (code: string): string[] =>
  code.replace(/'(?:[^'\\]|\\.)*'/g, '').match(/[A-Za-z_$][\w$]*/g) ?? [];

/** The scope of the first step from `index` on that has one. */
function scopeOf(steps: readonly Step[], index: number): string | undefined {
  for (let i = index; i < steps.length; i++) {
    const step = steps[i] as Step;
    if (step.kind === 'call') return step.node.scope;
    if (step.kind === 'loop') return (step.loop satisfies LoopNode).scope;
  }
  return undefined;
}

/** What a comment says of a value that overwrites another; longer expressions than names and members say it themselves. */
const inPlaceOf = (target: string): string =>
  /^[\w$.]+$/.test(target) ? `in place of ${target}` : 'in place';
