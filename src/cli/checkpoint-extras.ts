import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonObject } from '../weights/index.ts';
import { DEFAULT_PREPROCESSING, type Preprocessing, readPreprocessing } from './image/preprocess.ts';
import { findTokenizer, loadTokenizer, type TextCodec } from './text/tokenizer.ts';

/** What a checkpoint has beside its weights. Read when asked for. */
export interface CheckpointExtras {
  /** The parsed `config.json`; empty when there is none. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Settings of `preprocessor_config.json`, or the usual ones. */
  preprocessing(): Preprocessing;
  /** Undefined when there is no `tokenizer.json`. */
  tokenizer(): Promise<TextCodec | undefined>;
}

export interface ExtrasSources {
  /** Of the weights. */
  readonly folder: string | undefined;
  /** `--config`: a file or a folder. */
  readonly config: string | undefined;
  /** `--tokenizer`. */
  readonly tokenizer: string | undefined;
}

/** @throws UserError, when one is asked for that is damaged */
export function readExtras(sources: ExtrasSources): CheckpointExtras {
  const { folder } = sources;
  const beside = (name: string): string | undefined => {
    const path = join(folder ?? '', name);
    return folder !== undefined && existsSync(path) ? path : undefined;
  };
  let codec: Promise<TextCodec> | undefined;
  return {
    get config() {
      const given = sources.config;
      const path =
        given === undefined
          ? beside('config.json')
          : statSync(given).isDirectory()
            ? join(given, 'config.json')
            : given;
      return path === undefined ? {} : readJsonObject(path);
    },
    preprocessing() {
      const path = beside('preprocessor_config.json');
      return path === undefined ? DEFAULT_PREPROCESSING : readPreprocessing(path);
    },
    async tokenizer() {
      const path = sources.tokenizer ?? (folder === undefined ? undefined : findTokenizer(folder));
      if (path === undefined) return undefined;
      codec ??= loadTokenizer(path);
      return codec;
    },
  };
}
