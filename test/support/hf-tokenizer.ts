import { readFileSync } from 'node:fs';

/**
 * A llama2.c `tok*.bin` as the `tokenizer.json` that Hugging Face makes of a SentencePiece model: merges in the order of
 * the scores of what they make, a space before the text, bytes for unknown characters.
 */
export function huggingFaceTokenizer(path: string): object {
  const pieces = readPieces(path);
  const ids = new Map(pieces.map(({ text }, id) => [text, id]));
  const merges = pieces
    .flatMap(({ text, score }) =>
      Array.from({ length: text.length - 1 }, (_, i) => [text.slice(0, i + 1), text.slice(i + 1)] as const)
        .filter(([a, b]) => ids.has(a) && ids.has(b))
        .map((pair) => ({ pair, score })),
    )
    .sort((a, b) => b.score - a.score)
    .map(({ pair }) => pair);
  const special = (id: number, content: string) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: '1.0',
    added_tokens: [special(0, '<unk>'), special(1, '<s>'), special(2, '</s>')],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(ids),
      merges,
    },
  };
}

/** Names of the tokens of SentencePiece that are no text, and `▁` for a space. */
function readPieces(path: string): { text: string; score: number }[] {
  const bytes = readFileSync(path);
  const pieces: { text: string; score: number }[] = [];
  for (let at = 4; at < bytes.length; ) {
    const score = bytes.readFloatLE(at);
    const length = bytes.readInt32LE(at + 4);
    const text = bytes.toString('utf8', at + 8, at + 8 + length);
    pieces.push({ text: ['<unk>', '<s>', '</s>'][pieces.length] ?? text.replaceAll(' ', '▁'), score });
    at += 8 + length;
  }
  return pieces;
}
