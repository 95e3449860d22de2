import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.ts';
import type { Safetensors } from './safetensors.ts';
import { readSafetensors } from './safetensors-file.ts';
import { readShardedSafetensors } from './sharded.ts';

/** Where the parts of a checkpoint are. */
export interface CheckpointFiles {
  /** The folder the weights are in: its other files belong to the checkpoint too. */
  readonly folder: string;
  /** A `.safetensors` file or the index of several. */
  readonly weights: string;
}

const INDEX = '.safetensors.index.json';
/** What the common libraries call the weights of a model, in the order in which they look. */
const STEMS = ['model', 'diffusion_pytorch_model'];
const UNREAD = /\.(bin|pt|pth|ckpt|h5|msgpack|gguf|onnx)$/;

/**
 * Finds the weights that `path` names: a `.safetensors` file, an index of shards (`….safetensors.index.json`), or a
 * downloaded folder that has either.
 *
 * @throws UserError saying what the folder has instead
 */
export function findCheckpoint(path: string): CheckpointFiles {
  if (!existsSync(path)) throw new UserError(`there is no file or folder ${path}`);
  if (!statSync(path).isDirectory()) return { folder: dirname(path), weights: path };
  const found = (name: string) => ({ folder: path, weights: join(path, name) });
  for (const stem of STEMS)
    for (const name of [`${stem}.safetensors`, stem + INDEX])
      if (existsSync(join(path, name))) return found(name);
  const names = readdirSync(path).sort();
  const indices = names.filter((name) => name.endsWith(INDEX));
  const files = names.filter((name) => name.endsWith('.safetensors'));
  const [only] = indices.length > 0 ? indices : files;
  if (only !== undefined && (indices.length > 0 ? indices : files).length === 1) return found(only);
  const expected = `expected model.safetensors or model${INDEX}`;
  if (files.length > 0 || indices.length > 0)
    throw new UserError(
      `${path} has several .safetensors files and no index: ${[...indices, ...files].join(', ')}; name one, or download model${INDEX} too`,
    );
  const others = names.filter((name) => UNREAD.test(name));
  throw new UserError(
    others.length > 0
      ? `${path} has ${others.join(', ')}, which cannot be read: ${expected}; most models are published as safetensors too`
      : `${path} has no weights: ${expected}, it has ${names.length === 0 ? 'no file' : names.join(', ')}`,
  );
}

/**
 * Opens the weights of a file, an index of shards or a folder (see {@link findCheckpoint}).
 *
 * @throws UserError when they cannot be found or read
 */
export function readCheckpoint(path: string): Safetensors {
  const { weights } = findCheckpoint(path);
  return weights.endsWith('.json') ? readShardedSafetensors(weights) : readSafetensors(weights);
}

/**
 * Reads a JSON object such as a checkpoint's `config.json`.
 *
 * @throws UserError naming the file
 */
export function readJsonObject(path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new UserError(
      cause instanceof SyntaxError ? `${path}: not JSON (${reason})` : `cannot read ${path}: ${reason}`,
      {
        cause,
      },
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UserError(`${path}: expected a JSON object`);
  return value as Readonly<Record<string, unknown>>;
}
