import { UserError } from 'autochunk';

/** The byte-pair tokenizer of llama2.c (SentencePiece with byte fall-back). */
export interface Tokenizer {
  readonly vocab: number;
  /** Token ids of `text`, preceded by BOS. A space is put before the text, as in training. */
  encode(text: string): number[];
  /** The text of `tokens`; the space that follows BOS is dropped. Bytes that are not UTF-8 become U+FFFD. */
  decode(tokens: readonly number[]): string;
}

export const BOS = 1;
const FIRST_BYTE = 3;

/**
 * Reads a llama2.c `tok*.bin`: the longest piece's length (i32), then for each token its score (f32), length (i32)
 * and bytes.
 *
 * @throws UserError naming the file when it is cut off or has no byte tokens
 */
export function parseTokenizer(bytes: Uint8Array, file = 'tokenizer'): Tokenizer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scores: number[] = [];
  const pieces: Uint8Array[] = [];
  for (let at = 4; at < bytes.byteLength; ) {
    const length = at + 8 <= bytes.byteLength ? view.getInt32(at + 4, true) : -1;
    if (length < 0 || at + 8 + length > bytes.byteLength)
      throw new UserError(`${file}: truncated or damaged at token ${pieces.length} (byte ${at})`);
    scores.push(view.getFloat32(at, true));
    pieces.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  if (pieces.length < FIRST_BYTE + 256)
    throw new UserError(
      `${file}: ${pieces.length} tokens, but a llama2.c tokenizer has <unk>, <s>, </s> and 256 bytes before its pieces`,
    );
  return bytePairTokenizer(pieces, scores);
}

/** Bytes as a string of the same length (one char a byte), so that pieces can be map keys. */
const key = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

function bytePairTokenizer(pieces: readonly Uint8Array[], scores: readonly number[]): Tokenizer {
  const ids = new Map(pieces.map((piece, id) => [key(piece), id]));
  const rawByte = (id: number): number | undefined => {
    const match = /^<0x([0-9A-F]{2})>$/.exec(key(pieces[id] ?? new Uint8Array()));
    return match ? Number.parseInt(match[1] as string, 16) : undefined;
  };

  /** Characters of the text, or their bytes where the vocabulary lacks the character. */
  const characters = (text: string): number[] =>
    [...text].flatMap((character) => {
      const utf8 = new TextEncoder().encode(character);
      const id = ids.get(key(utf8));
      return id === undefined ? [...utf8].map((byte) => byte + FIRST_BYTE) : [id];
    });

  /** Index and id of the neighbouring pair whose union scores best. */
  const bestMerge = (tokens: readonly number[]): { at: number; id: number } | undefined => {
    let best: { at: number; id: number } | undefined;
    for (let at = 0; at + 1 < tokens.length; at++) {
      const id = ids.get(key(pieces[tokens[at]!]!) + key(pieces[tokens[at + 1]!]!));
      if (id !== undefined && (best === undefined || scores[id]! > scores[best.id]!)) best = { at, id };
    }
    return best;
  };

  return {
    vocab: pieces.length,
    encode(text) {
      const tokens = text === '' ? [] : characters(` ${text}`);
      for (let merge = bestMerge(tokens); merge; merge = bestMerge(tokens))
        tokens.splice(merge.at, 2, merge.id);
      return [BOS, ...tokens];
    },
    decode(tokens) {
      const out: number[] = [];
      tokens.forEach((id, i) => {
        if (id === BOS) return;
        const piece = pieces[id];
        if (piece === undefined) throw new UserError(`decode: token ${id} is not below ${pieces.length}`);
        const byte = rawByte(id);
        const afterBos = tokens[i - 1] === BOS && piece[0] === 0x20;
        out.push(...(byte === undefined ? piece.subarray(afterBos ? 1 : 0) : [byte]));
      });
      return new TextDecoder().decode(new Uint8Array(out));
    },
  };
}
