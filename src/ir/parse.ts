import { UserError } from '../errors.ts';
import { canonicalDim, type Dim } from './dims.ts';
import {
  type Attrs,
  type AttrValue,
  CARRY_ROLES,
  type DType,
  type FusedPart,
  type Graph,
  type GraphInput,
  type GraphOutput,
  type GraphParam,
  type Hints,
  type LoopCarry,
  type LoopHalo,
  type LoopNode,
  type LoopResult,
  type LoopSlice,
  type Node,
  type OperandPart,
  type OpNode,
  type SourceLocation,
  type TensorType,
} from './node.ts';

/**
 * Reads the text that `printGraph` writes. Whitespace is free. Throws UserError with line and column where the text is
 * not a graph; what the graph means is checked by `verify`, not here.
 */
export function parseGraph(text: string): Graph {
  const reader = new Reader(text);
  const graph = readGraph(reader);
  reader.end();
  return graph;
}

const SPACE = /\s*/y;
const NAME = /[A-Za-z_$][\w$]*/y;
const NUMBER = /-?(?:Infinity|NaN|\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w$*.+-])/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const DIM = /-?[\w$]+(?:[*+-][\w$]+)*/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #skip(): void {
    SPACE.lastIndex = this.#at;
    SPACE.exec(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #match(token: RegExp): string | undefined {
    this.#skip();
    token.lastIndex = this.#at;
    return token.exec(this.#text)?.[0];
  }

  #take(token: RegExp, expected: string): string {
    const found = this.#match(token);
    if (found === undefined) this.fail(expected);
    this.#at += found.length;
    return found;
  }

  fail(expected: string): never {
    this.#skip();
    const before = this.#text.slice(0, this.#at);
    const line = before.split('\n').length;
    const column = this.#at - before.lastIndexOf('\n');
    const got = this.#match(/"(?:[^"\\\n]|\\.)*"?|[\w$]+|[^\w$]/y);
    throw new UserError(
      `not a graph: line ${line}, column ${column}: expected ${expected}, got ${got === undefined ? 'the end of the text' : `\`${got}\``}`,
    );
  }

  end(): void {
    this.#skip();
    if (this.#at < this.#text.length) this.fail('the end of the text');
  }

  /** True, and past it, when the next thing is this punctuation. */
  accept(punctuation: string): boolean {
    this.#skip();
    if (!this.#text.startsWith(punctuation, this.#at)) return false;
    this.#at += punctuation.length;
    return true;
  }

  expect(punctuation: string): void {
    if (!this.accept(punctuation)) this.fail(`\`${punctuation}\``);
  }

  /** The next name without taking it. */
  peekWord(): string | undefined {
    return this.#match(NAME);
  }

  /** True, and past `word`, when the next thing is `word` followed by `next`: a value may have the same name. */
  acceptItem(word: string, next: 'name' | 'string' | '[' | '{'): boolean {
    const back = this.#at;
    if (!this.acceptWord(word)) return false;
    const follows = next === 'name' ? NAME : next === 'string' ? STRING : next === '[' ? /\[/y : /\{/y;
    if (this.#match(follows) !== undefined) return true;
    this.#at = back;
    return false;
  }

  acceptWord(word: string): boolean {
    if (this.peekWord() !== word) return false;
    this.#at += word.length;
    return true;
  }

  word(word: string): void {
    if (!this.acceptWord(word)) this.fail(`\`${word}\``);
  }

  name(what: string): string {
    return this.#take(NAME, what);
  }

  number(what: string): number {
    return Number(this.#take(NUMBER, what));
  }

  string(what: string): string {
    const start = this.#at;
    const literal = this.#take(STRING, what);
    try {
      return JSON.parse(literal) as string;
    } catch {
      this.#at = start;
      return this.fail(`${what} with JSON escapes`);
    }
  }

  dim(what = 'a dimension'): Dim {
    if (this.#match(STRING) !== undefined) return this.string(what);
    if (this.#match(NUMBER) !== undefined) return this.number(what);
    const start = this.#at;
    const text = this.#take(DIM, what);
    try {
      return canonicalDim(text);
    } catch {
      this.#at = start;
      return this.fail(what);
    }
  }

  /** True when the next thing is an opening bracket. */
  startsList(): boolean {
    return this.#match(/\[/y) !== undefined;
  }

  /** Items between brackets, separated by commas. */
  list<T>(open: string, close: string, item: () => T): T[] {
    this.expect(open);
    const items: T[] = [];
    if (this.accept(close)) return items;
    do items.push(item());
    while (this.accept(','));
    this.expect(close);
    return items;
  }

  names(what: string): string[] {
    const names: string[] = [];
    do names.push(this.name(what));
    while (this.accept(','));
    return names;
  }
}

function readGraph(reader: Reader): Graph {
  reader.word('graph');
  const name = reader.string('the name of the graph');
  reader.expect('{');
  const dims = reader.acceptItem('dims', 'name') ? reader.names('a dimension name') : [];
  const inputs: GraphInput[] = [];
  for (;;) {
    const donated = reader.acceptItem('donated', 'name');
    if (donated) reader.word('input');
    else if (!reader.acceptItem('input', 'name')) break;
    inputs.push(readInput(reader, donated));
  }
  const params: GraphParam[] = [];
  while (reader.acceptItem('param', 'name')) params.push(readParam(reader));
  const nodes: Node[] = [];
  const outputs: GraphOutput[] = [];
  while (!reader.accept('}')) {
    if (reader.acceptItem('output', 'string')) outputs.push(readOutput(reader));
    else if (outputs.length > 0) reader.fail('`output` or `}`');
    else if (reader.acceptItem('loop', 'name')) nodes.push(readLoop(reader));
    else nodes.push(readOp(reader));
  }
  return { name, dims, inputs, params, nodes, outputs };
}

function readType(reader: Reader): TensorType {
  const dtype = reader.peekWord();
  if (dtype !== 'f32' && dtype !== 'i32') reader.fail('an element type (f32 or i32)');
  reader.word(dtype);
  return { shape: reader.list('[', ']', () => reader.dim()), dtype: dtype satisfies DType };
}

function readInput(reader: Reader, donated: boolean): GraphInput {
  const id = reader.name('the name of the input');
  reader.expect(':');
  const type = readType(reader);
  const bound = reader.acceptWord('below') ? { below: reader.number('a number') } : {};
  return { id, ...type, ...bound, ...(donated ? { donated } : {}) };
}

function readParam(reader: Reader): GraphParam {
  const id = reader.name('the name of the parameter');
  reader.expect(':');
  const type = readType(reader);
  reader.word('key');
  return { id, ...type, key: reader.string('the state-dict key') };
}

function readOutput(reader: Reader): GraphOutput {
  const name = reader.string('the name of the output');
  reader.expect('=');
  return { name, value: reader.name('a value') };
}

function readOp(reader: Reader): OpNode {
  const id = reader.name('a node, `output` or `}`');
  reader.expect(':');
  const type = readType(reader);
  reader.expect('=');
  const op = reader.name('an op');
  const reads: OperandPart[] = [];
  let operand = 0;
  const operands = reader.list('(', ')', () => {
    const id = reader.name('a value');
    while (reader.accept('[')) reads.push(readPart(reader, operand));
    operand++;
    return id;
  });
  const attrs = reader.accept('{') ? readAttrs(reader) : {};
  const scope = reader.acceptItem('in', 'string') ? reader.string('a scope') : '';
  const at = reader.acceptItem('at', 'string') ? readLocation(reader) : undefined;
  const read = reads.length > 0 ? { reads } : {};
  const node = {
    kind: 'op' as const,
    id,
    op,
    operands,
    ...read,
    attrs,
    scope,
    ...type,
    ...(at ? { at } : {}),
  };
  const symbolic = reader.acceptItem('symbolic', '[') ? reader.list('[', ']', () => reader.dim()) : undefined;
  const hints = reader.acceptItem('hints', '{') ? readHints(reader) : undefined;
  const parts = reader.acceptItem('parts', '[')
    ? reader.list('[', ']', () => readFusedPart(reader))
    : undefined;
  return {
    ...node,
    ...(symbolic ? { symbolic } : {}),
    ...(hints ? { hints } : {}),
    ...(parts ? { parts } : {}),
  };
}

function readFusedPart(reader: Reader): FusedPart {
  const id = reader.name('a value');
  const scope = reader.acceptItem('in', 'string') ? reader.string('a scope') : '';
  const at = reader.acceptItem('at', 'string') ? readLocation(reader) : undefined;
  return { id, scope, ...(at ? { at } : {}) };
}

function readPart(reader: Reader, operand: number): OperandPart {
  reader.word('axis');
  const axis = reader.number('an axis');
  reader.word('start');
  const start = reader.dim();
  reader.word('length');
  const length = reader.dim();
  reader.expect(']');
  return { operand, axis, start, length };
}

function readAttrs(reader: Reader): Attrs {
  const attrs: Record<string, AttrValue> = {};
  if (reader.accept('}')) return attrs;
  do {
    const key = reader.peekWord() === undefined ? reader.string('an attribute') : reader.name('an attribute');
    reader.expect(':');
    Object.defineProperty(attrs, key, {
      value: readAttr(reader),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  } while (reader.accept(','));
  reader.expect('}');
  return attrs;
}

function readAttr(reader: Reader): AttrValue {
  if (reader.startsList()) return reader.list('[', ']', () => reader.dim());
  if (reader.acceptItem('text', 'string')) return { text: reader.string('a text') };
  if (reader.peekWord() === 'true') return reader.acceptWord('true');
  if (reader.acceptWord('false')) return false;
  return reader.dim();
}

function readLocation(reader: Reader): SourceLocation {
  const file = reader.string('a file');
  reader.expect(':');
  const line = reader.number('a line');
  reader.expect(':');
  return { file, line, column: reader.number('a column') };
}

function readHints(reader: Reader): Hints {
  const hints: { noChunk?: boolean; preferChunk?: string; region?: string } = {};
  reader.list('{', '}', () => {
    const key = reader.name('a hint');
    reader.expect(':');
    if (key === 'noChunk') hints.noChunk = readAttr(reader) === true;
    else if (key === 'preferChunk' || key === 'region') hints[key] = reader.string('a name');
    else reader.fail('noChunk, preferChunk or region');
  });
  return hints;
}

function readLoop(reader: Reader): LoopNode {
  const id = reader.name('the name of the loop');
  reader.word('over');
  const over = reader.string('what the loop cuts');
  reader.word('extent');
  const extent = reader.dim('the extent');
  reader.word('chunk');
  const chunkSize = reader.dim('the chunk size');
  reader.word('start');
  const start = reader.name('a name');
  reader.word('length');
  const length = reader.name('a name');
  const scope = reader.acceptWord('in') ? reader.string('a scope') : '';
  reader.expect('{');
  const halos: LoopHalo[] = [];
  while (reader.acceptWord('halo')) halos.push(readHalo(reader));
  const slices: LoopSlice[] = [];
  while (reader.acceptWord('slice')) slices.push(readSlice(reader));
  const whole = reader.acceptWord('whole') ? reader.names('a value') : [];
  const body = readGraph(reader);
  const results: LoopResult[] = [];
  const carries: LoopCarry[] = [];
  while (!reader.accept('}')) {
    if (reader.acceptItem('carry', 'name')) carries.push(readCarry(reader));
    else results.push(readResult(reader));
  }
  return {
    kind: 'loop',
    id,
    over,
    extent,
    chunkSize,
    start,
    length,
    halos,
    slices,
    whole,
    body,
    results,
    carries,
    scope,
  };
}

function readCarry(reader: Reader): LoopCarry {
  const id = reader.name('a carried value');
  reader.expect(':');
  const type = readType(reader);
  reader.expect('=');
  const value = reader.name('a value of the body');
  reader.word('as');
  const as = reader.name('a name');
  reader.word('from');
  const init = reader.number('a number');
  const role = CARRY_ROLES.find((role) => reader.acceptWord(role));
  if (!role) reader.fail(CARRY_ROLES.join(', '));
  reader.word('of');
  return { id, as, value, init, role, of: reader.name('a value'), ...type };
}

function readSlice(reader: Reader): LoopSlice {
  const as = reader.name('a name');
  reader.expect('=');
  const operand = reader.name('a value');
  return { operand, as, ...readCut(reader) };
}

function readResult(reader: Reader): LoopResult {
  const id = reader.name('a result or `}`');
  reader.expect(':');
  const type = readType(reader);
  reader.expect('=');
  reader.word('concat');
  const value = reader.name('a value of the body');
  return { kind: 'concat', id, value, ...readCut(reader), ...type };
}

function readHalo(reader: Reader): LoopHalo {
  const start = reader.name('a name');
  reader.word('length');
  const length = reader.name('a name');
  reader.word('times');
  const multiple = reader.number('a multiple');
  reader.word('before');
  const before = reader.number('a border');
  reader.word('after');
  const after = reader.number('a border');
  reader.word('of');
  return { start, length, multiple, before, after, extent: reader.dim('the extent') };
}

function readCut(reader: Reader): { axis: number; multiple: number; halo?: string } {
  reader.word('axis');
  const axis = reader.number('an axis');
  reader.word('times');
  const multiple = reader.number('a multiple');
  return { axis, multiple, ...(reader.acceptItem('halo', 'name') ? { halo: reader.name('a halo') } : {}) };
}
