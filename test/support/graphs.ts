import type { Shape } from '../../src/ir/dims.ts';
import { dimNames } from '../../src/ir/dims.ts';
import type {
  Attrs,
  DType,
  Graph,
  GraphInput,
  GraphParam,
  Hints,
  OpNode,
  TensorType,
  ValueId,
} from '../../src/ir/node.ts';
import { opDef } from '../../src/ir/ops/index.ts';

/** Builds small graphs by hand, with types inferred by the ops. */
export class GraphBuilder {
  readonly #name: string;
  readonly #types = new Map<ValueId, TensorType>();
  readonly #inputs: GraphInput[] = [];
  readonly #params: GraphParam[] = [];
  readonly #nodes: OpNode[] = [];
  #scope = '';
  #hints: Hints | undefined;

  constructor(name = 'test') {
    this.#name = name;
  }

  input(id: ValueId, shape: Shape, dtype: DType = 'f32'): ValueId {
    this.#inputs.push({ id, shape, dtype });
    this.#types.set(id, { shape, dtype });
    return id;
  }

  param(id: ValueId, shape: Shape): ValueId {
    this.#params.push({ id, key: id.replaceAll('_', '.'), shape, dtype: 'f32' });
    this.#types.set(id, { shape, dtype: 'f32' });
    return id;
  }

  /** `id = op(operands)`; ids are made unique. */
  op(id: ValueId, op: string, operands: readonly ValueId[], attrs: Attrs = {}): ValueId {
    let unique = id;
    for (let i = 1; this.#types.has(unique); i++) unique = `${id}_${i}`;
    const types = operands.map((operand) => this.type(operand));
    const all = { ...opDef(op).defaults, ...attrs };
    const type = opDef(op).infer(types, all);
    const at = { file: 'model.ts', line: this.#nodes.length + 1, column: 1 };
    const hints = this.#hints ? { hints: this.#hints } : {};
    this.#nodes.push({
      kind: 'op',
      id: unique,
      op,
      operands,
      attrs: all,
      scope: this.#scope,
      at,
      ...hints,
      ...type,
    });
    this.#types.set(unique, type);
    return unique;
  }

  type(id: ValueId): TensorType {
    const type = this.#types.get(id);
    if (!type) throw new Error(`no value ${id}`);
    return type;
  }

  scope<T>(name: string, build: () => T): T {
    const outer = this.#scope;
    this.#scope = outer === '' ? name : `${outer}.${name}`;
    const result = build();
    this.#scope = outer;
    return result;
  }

  hinted<T>(hints: Hints, build: () => T): T {
    const outer = this.#hints;
    this.#hints = { ...outer, ...hints };
    const result = build();
    this.#hints = outer;
    return result;
  }

  build(outputs: Readonly<Record<string, ValueId>>): Graph {
    const dims = new Set<string>();
    for (const { shape } of this.#types.values())
      for (const dim of shape) dimNames(dim).forEach((name) => void dims.add(name));
    return {
      name: this.#name,
      dims: [...dims],
      inputs: this.#inputs,
      params: this.#params,
      nodes: this.#nodes,
      outputs: Object.entries(outputs).map(([name, value]) => ({ name, value })),
    };
  }
}

/** softmax(q kᵀ / √d) v over `heads` heads, without projections. */
export function attentionGraph(heads = 2, width = 4): Graph {
  const b = new GraphBuilder('attention');
  const [q, k, v] = ['q', 'k', 'v'].map((id) => b.input(id, [heads, 'N', width])) as [string, string, string];
  const kT = b.op('kT', 'permute', [k], { axes: [0, 2, 1] });
  const scores = b.op('scores', 'matmul', [q, kT]);
  const masked = b.op('masked', 'causalMask', [scores]);
  const weights = b.op('weights', 'softmax', [masked], { axis: 2 });
  return b.build({ context: b.op('context', 'matmul', [weights, v]) });
}

/** Two linear layers around a gelu. */
export function mlpGraph(width = 4, hidden = 16): Graph {
  const b = new GraphBuilder('mlp');
  const x = b.input('x', ['N', width]);
  const up = b.op('up', 'linear', [x, b.param('up_weight', [hidden, width]), b.param('up_bias', [hidden])]);
  const active = b.op('active', 'gelu', [up], { tanh: true });
  return b.build({ y: b.op('down', 'linear', [active, b.param('down_weight', [width, hidden])]) });
}

export interface GptOptions {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Return the normed hidden state instead of logits. */
  readonly headless?: boolean;
}

/** GPT-2: learned positions, layer norms, merged q/k/v, tanh gelu, tied head. */
export function gptGraph({ layers, width, heads, vocabulary, headless = false }: GptOptions): Graph {
  const b = new GraphBuilder('gpt');
  const size = width / heads;
  const ids = b.input('ids', ['N'], 'i32');
  const wte = b.param('wte', [vocabulary, width]);
  const norm = (name: string, x: ValueId): ValueId =>
    b.op(name, 'layerNorm', [x, b.param(`${name}_w`, [width]), b.param(`${name}_b`, [width])]);
  const conv = (name: string, x: ValueId, inner: number, outer: number): ValueId =>
    b.op(name, 'linear', [x, b.param(`${name}_w`, [inner, outer]), b.param(`${name}_b`, [outer])], {
      transposed: true,
    });
  const split = (name: string, x: ValueId): ValueId =>
    b.op(`${name}_heads`, 'permute', [b.op(`${name}_split`, 'reshape', [x], { shape: ['N', heads, size] })], {
      axes: [1, 0, 2],
    });
  const tokens = b.op('tokens', 'embedding', [wte, ids]);
  const positions = b.op('positions', 'embedding', [
    b.param('wpe', [4096, width]),
    b.op('places', 'iota', [], { length: 'N' }),
  ]);
  let x = b.op('embedded', 'add', [tokens, positions]);
  for (let i = 0; i < layers; i++) {
    x = b.scope(`h.${i}`, () => {
      const h = norm(`h${i}_ln1`, x);
      const qkv = conv(`h${i}_qkv`, h, width, 3 * width);
      const [q, k, v] = ['q', 'k', 'v'].map((name, j) =>
        split(
          `h${i}_${name}`,
          b.op(`h${i}_${name}`, 'slice', [qkv], { axis: 1, start: j * width, length: width }),
        ),
      ) as [string, string, string];
      const kT = b.op(`h${i}_kT`, 'permute', [k], { axes: [0, 2, 1] });
      const scores = b.op(`h${i}_scores`, 'matmul', [q, kT]);
      const scaled = b.op(`h${i}_scaled`, 'mulScalar', [scores], { value: 1 / Math.sqrt(size) });
      const masked = b.op(`h${i}_masked`, 'causalMask', [scaled]);
      const weights = b.op(`h${i}_weights`, 'softmax', [masked], { axis: 2 });
      const context = b.op(`h${i}_context`, 'matmul', [weights, v]);
      const merged = b.op(
        `h${i}_merged`,
        'reshape',
        [b.op(`h${i}_rows`, 'permute', [context], { axes: [1, 0, 2] })],
        { shape: ['N', width] },
      );
      const a = b.op(`h${i}_a`, 'add', [x, conv(`h${i}_attn_proj`, merged, width, width)]);
      const fc = conv(`h${i}_fc`, norm(`h${i}_ln2`, a), width, 4 * width);
      const active = b.op(`h${i}_gelu`, 'gelu', [fc], { tanh: true });
      return b.op(`h${i}_out`, 'add', [a, conv(`h${i}_mlp_proj`, active, 4 * width, width)]);
    });
  }
  const hidden = norm('lnf', x);
  return b.build(headless ? { hidden } : { logits: b.op('logits', 'linear', [hidden, wte]) });
}

export interface LlamaOptions {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly hidden: number;
  readonly vocabulary: number;
}

/** Llama: RMS norms, rotary positions, grouped keys and values, gated MLP; logits of all positions. */
export function llamaGraph({ layers, width, heads, kvHeads, hidden, vocabulary }: LlamaOptions): Graph {
  const b = new GraphBuilder('llama');
  const size = width / heads;
  const group = heads / kvHeads;
  const ids = b.input('ids', ['N'], 'i32');
  const embedding = b.param('embed', [vocabulary, width]);
  const linear = (name: string, x: ValueId, inner: number, outer: number): ValueId =>
    b.op(name, 'linear', [x, b.param(`${name}_w`, [outer, inner])]);
  const norm = (name: string, x: ValueId): ValueId =>
    b.op(name, 'rmsNorm', [x, b.param(`${name}_w`, [width])]);
  const places = b.op('places', 'iota', [], { length: 'N' });
  const column = b.op('column', 'reshape', [places], { shape: ['N', 1] });
  const frequencies = b.op('frequencies', 'constant', [], {
    shape: [size / 2],
    values: Array.from({ length: size / 2 }, (_, i) => 10000 ** ((-2 * i) / size)),
  });
  const angles = b.op('angles', 'mul', [column, frequencies]);
  const cos = b.op('cos', 'cos', [angles]);
  const sin = b.op('sin', 'sin', [angles]);
  let x = b.op('embedded', 'embedding', [embedding, ids]);
  for (let i = 0; i < layers; i++) {
    x = b.scope(`layers.${i}`, () => {
      const id = (name: string): string => `l${i}_${name}`;
      const h = norm(id('norm1'), x);
      const head = (name: string, count: number): ValueId => {
        const flat = linear(id(name), h, width, count * size);
        const split = b.op(id(`${name}_split`), 'reshape', [flat], { shape: ['N', count, size] });
        return b.op(id(`${name}_heads`), 'permute', [split], { axes: [1, 0, 2] });
      };
      const q = b.op(id('q_turned'), 'rotary', [head('q', heads), cos, sin], { interleaved: false });
      const k = b.op(id('k_turned'), 'rotary', [head('k', kvHeads), cos, sin], { interleaved: false });
      const v = head('v', kvHeads);
      const grouped = b.op(id('q_grouped'), 'reshape', [q], { shape: [kvHeads, group, 'N', size] });
      const kT = b.op(
        id('kT'),
        'permute',
        [b.op(id('k_one'), 'reshape', [k], { shape: [kvHeads, 1, 'N', size] })],
        { axes: [0, 1, 3, 2] },
      );
      const vOne = b.op(id('v_one'), 'reshape', [v], { shape: [kvHeads, 1, 'N', size] });
      const scores = b.op(id('scores'), 'matmul', [grouped, kT]);
      const scaled = b.op(id('scaled'), 'mulScalar', [scores], { value: 1 / Math.sqrt(size) });
      const masked = b.op(id('masked'), 'causalMask', [scaled]);
      const weights = b.op(id('weights'), 'softmax', [masked], { axis: 3 });
      const context = b.op(id('context'), 'matmul', [weights, vOne]);
      const rows = b.op(id('rows'), 'permute', [context], { axes: [2, 0, 1, 3] });
      const merged = b.op(id('merged'), 'reshape', [rows], { shape: ['N', width] });
      const a = b.op(id('a'), 'add', [x, linear(id('o'), merged, width, width)]);
      const h2 = norm(id('norm2'), a);
      const gate = b.op(id('gated'), 'silu', [linear(id('gate'), h2, width, hidden)]);
      const up = linear(id('up'), h2, width, hidden);
      return b.op(id('out'), 'add', [
        a,
        linear(id('down'), b.op(id('prod'), 'mul', [gate, up]), hidden, width),
      ]);
    });
  }
  return b.build({ logits: b.op('logits', 'linear', [norm('norm', x), embedding]) });
}
