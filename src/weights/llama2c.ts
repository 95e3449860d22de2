import { UserError } from '../errors.ts';
import type { StateDict, StoredTensor } from './tensor.ts';

/** Header of a llama2.c checkpoint. */
export interface Llama2cConfig {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocab: number;
  readonly sequence: number;
  /** Whether the classifier is the embedding table. */
  readonly tied: boolean;
}

export interface Llama2cCheckpoint {
  readonly config: Llama2cConfig;
  /** Tensors under the names, and in the rotary order, of Hugging Face's `LlamaForCausalLM`. */
  readonly tensors: StateDict;
}

const HEADER_INTS = 7;

/**
 * Reads a version-0 llama2.c `.bin`: seven i32 (dim, hidden dim, layers, heads, kv heads, vocab — negative when the
 * classifier is its own — and sequence length), then f32 tensors. Its stored cos/sin tables are skipped.
 *
 * @throws UserError naming the file and the fault
 */
export function parseLlama2c(bytes: Uint8Array, file = 'llama2.c checkpoint'): Llama2cCheckpoint {
  const fail = (message: string): never => {
    throw new UserError(`${file}: ${message}`);
  };
  const headerBytes = 4 * HEADER_INTS;
  if (bytes.byteLength < headerBytes)
    fail(`truncated: ${bytes.byteLength} bytes, the header takes ${headerBytes}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const int = (i: number): number => view.getInt32(4 * i, true);
  const config: Llama2cConfig = {
    dim: int(0),
    hiddenDim: int(1),
    layers: int(2),
    heads: int(3),
    kvHeads: int(4),
    vocab: Math.abs(int(5)),
    sequence: int(6),
    tied: int(5) > 0,
  };
  const { dim, hiddenDim, layers, heads, kvHeads, vocab, sequence } = config;
  const positive = [dim, hiddenDim, layers, heads, kvHeads, vocab, sequence].every((value) => value > 0);
  if (!positive || dim % (2 * heads) !== 0 || heads % kvHeads !== 0)
    fail(`the header ${JSON.stringify(config)} is not one of a version-0 llama2.c checkpoint`);

  const headDim = dim / heads;
  const kvDim = kvHeads * headDim;
  let at = headerBytes;
  const take = (shape: readonly number[]): Block => {
    const block = { start: at, shape };
    at += 4 * shape.reduce((a, b) => a * b, 1);
    return block;
  };
  const embedding = take([vocab, dim]);
  const attentionNorm = take([layers, dim]);
  const q = take([layers, dim, dim]);
  const k = take([layers, kvDim, dim]);
  const v = take([layers, kvDim, dim]);
  const o = take([layers, dim, dim]);
  const mlpNorm = take([layers, dim]);
  const gate = take([layers, hiddenDim, dim]);
  const down = take([layers, dim, hiddenDim]);
  const up = take([layers, hiddenDim, dim]);
  const finalNorm = take([dim]);
  take([2, sequence, headDim / 2]);
  const head = config.tied ? undefined : take([vocab, dim]);
  if (at !== bytes.byteLength)
    fail(`${bytes.byteLength} bytes, but the header ${JSON.stringify(config)} takes ${at}`);

  const stored = (block: Block, layer?: number, heads?: number): StoredTensor => {
    const shape = layer === undefined ? block.shape : block.shape.slice(1);
    const count = shape.reduce((a, b) => a * b, 1);
    const start = block.start + 4 * count * (layer ?? 0);
    return {
      storedAs: 'F32',
      shape,
      load: () => {
        const raw = new Uint8Array(bytes.subarray(start, start + 4 * count));
        const data = new Float32Array(raw.buffer);
        return {
          dtype: 'f32',
          shape,
          data: heads === undefined ? data : halfRotationRows(data, heads, headDim),
        };
      },
    };
  };
  const tensors = new Map<string, StoredTensor>([['model.embed_tokens.weight', stored(embedding)]]);
  for (let layer = 0; layer < layers; layer++) {
    const name = (suffix: string): string => `model.layers.${layer}.${suffix}.weight`;
    tensors.set(name('input_layernorm'), stored(attentionNorm, layer));
    tensors.set(name('self_attn.q_proj'), stored(q, layer, heads));
    tensors.set(name('self_attn.k_proj'), stored(k, layer, kvHeads));
    tensors.set(name('self_attn.v_proj'), stored(v, layer));
    tensors.set(name('self_attn.o_proj'), stored(o, layer));
    tensors.set(name('post_attention_layernorm'), stored(mlpNorm, layer));
    tensors.set(name('mlp.gate_proj'), stored(gate, layer));
    tensors.set(name('mlp.up_proj'), stored(up, layer));
    tensors.set(name('mlp.down_proj'), stored(down, layer));
  }
  tensors.set('model.norm.weight', stored(finalNorm));
  if (head) tensors.set('lm_head.weight', stored(head));
  return { config, tensors };
}

interface Block {
  readonly start: number;
  readonly shape: readonly number[];
}

/** Rows of each head from adjacent pairs (2i, 2i+1) to halves (i, i + headDim/2): the order of `rotate_half`. */
function halfRotationRows(data: Float32Array, heads: number, headDim: number): Float32Array {
  const columns = data.length / (heads * headDim);
  const out = new Float32Array(data.length);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < headDim; row++) {
      const source = row < headDim / 2 ? 2 * row : 2 * row - headDim + 1;
      const from = (head * headDim + source) * columns;
      out.set(data.subarray(from, from + columns), (head * headDim + row) * columns);
    }
  }
  return out;
}
