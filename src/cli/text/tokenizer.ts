import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../errors.ts';
import { readJsonObject } from '../../weights/index.ts';
import { importOptional } from '../optional.ts';

/** Text to token ids and back. */
export interface TextCodec {
  /** Ids with the special tokens that the model starts a text with. */
  encode(text: string): number[];
  /** What `next` adds to a text that ends in `previous`. */
  continuation(previous: number | undefined, next: number): string;
}

const FILE = 'tokenizer.json';

/** The `tokenizer.json` that a folder has. */
export const findTokenizer = (folder: string): string | undefined =>
  existsSync(join(folder, FILE)) ? join(folder, FILE) : undefined;

/**
 * Loads a `tokenizer.json` (of a folder: the one in it), with the `tokenizer_config.json` beside it if there is one.
 *
 * @throws UserError when there is none, it is damaged or of an unknown kind, or the tokenizer library is not installed
 */
export async function loadTokenizer(path: string): Promise<TextCodec> {
  if (!existsSync(path)) throw new UserError(`there is no file or folder ${path}`);
  const file = statSync(path).isDirectory() ? findTokenizer(path) : path;
  if (file === undefined) throw new UserError(`${path} has no ${FILE}`);
  const json = readJsonObject(file);
  const configFile = join(dirname(file), 'tokenizer_config.json');
  const config = existsSync(configFile) ? readJsonObject(configFile) : {};
  const { Tokenizer } = await importOptional(
    () => import('@huggingface/tokenizers'),
    '@huggingface/tokenizers',
    'texts',
  );
  const guard = <Result>(act: () => Result): Result => {
    try {
      return act();
    } catch (cause) {
      throw new UserError(`${file}: damaged, or of a kind that cannot be read: ${(cause as Error).message}`, {
        cause,
      });
    }
  };
  const tokenizer = guard(() => new Tokenizer(json, config));
  const decode = (ids: number[]): string =>
    guard(() => tokenizer.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false }));
  return {
    encode: (text) => guard(() => [...tokenizer.encode(text).ids]),
    continuation(previous, next) {
      if (previous === undefined) return decode([next]);
      // Decoders drop the space at the start of a text: what stands before tells whether there is one.
      const [before, after] = [decode([previous]), decode([previous, next])];
      return after.startsWith(before) ? after.slice(before.length) : decode([next]);
    },
  };
}
