import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../errors.ts';
import { duplicateKey } from './duplicate-key.ts';
import { reportSection } from './report-section.ts';
import type { Safetensors } from './safetensors.ts';
import { readSafetensors } from './safetensors-file.ts';
import type { StoredTensor } from './tensor.ts';

/**
 * Opens a checkpoint in several files through its index (`model.safetensors.index.json`): only headers are read now.
 *
 * @throws UserError with one report of everything wrong: an index that is damaged, shards that are missing, tensors that
 *   are not in the shard the index names, tensors in two shards
 */
export function readShardedSafetensors(indexPath: string): Safetensors {
  const shardOf = readIndex(indexPath);
  const folder = dirname(indexPath);
  const shards = [...new Set(shardOf.values())].sort();
  const metadata: Record<string, string> = {};
  const tensors = new Map<string, StoredTensor>();
  const foundIn = new Map<string, string>();
  const absent = new Set<string>();
  const damaged: string[] = [];
  const twice: string[] = [];
  for (const shard of shards) {
    const path = join(folder, shard);
    if (!existsSync(path)) {
      absent.add(shard);
      continue;
    }
    let file: Safetensors;
    try {
      file = readSafetensors(path);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      damaged.push(error.message);
      absent.add(shard);
      continue;
    }
    Object.assign(metadata, file.metadata);
    for (const [name, tensor] of file.tensors) {
      const other = foundIn.get(name);
      if (other === undefined) {
        foundIn.set(name, shard);
        tensors.set(name, tensor);
      } else twice.push(`${name}: in ${other} and in ${shard}`);
    }
  }

  const missing = shards
    .filter((shard) => absent.has(shard) && !existsSync(join(folder, shard)))
    .map((shard) => `${shard}   (${describeKeys([...shardOf].filter(([, of]) => of === shard))})`);
  const misplaced = [...shardOf]
    .filter(([name, shard]) => !absent.has(shard) && foundIn.get(name) !== shard)
    .map(([name, shard]) => {
      const actual = foundIn.get(name);
      return `${name}: not in ${shard}${actual === undefined ? '' : `, but in ${actual}`}`;
    });
  const sections = [
    reportSection('missing shards', missing),
    reportSection('damaged shards', damaged),
    reportSection('tensors not where the index says', misplaced),
    reportSection('tensors there twice', twice),
  ].filter((text) => text !== '');
  if (sections.length > 0)
    throw new UserError(
      `${indexPath}: the checkpoint is incomplete (${shards.length - absent.size} of ${shards.length} shards can be read)\n${sections.join('\n')}`,
    );
  return { file: indexPath, metadata, tensors };
}

/** Tensor name → shard. */
function readIndex(path: string): Map<string, string> {
  const fail = (message: string): never => {
    throw new UserError(`${path}: ${message}`);
  };
  let text: string;
  let json: unknown;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return fail(`not JSON (${(cause as Error).message})`);
  }
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    return fail('there is no "weight_map" of tensor names to files; this is not an index of shards');
  const entries = Object.entries(map);
  if (entries.length === 0) fail('the "weight_map" is empty');
  // The names are in an object of their own; a name listed twice would hide one of two shards.
  const twice = duplicateKey(text.slice(text.indexOf('{', text.indexOf('"weight_map"'))));
  if (twice !== undefined && entries.some(([name]) => name === twice))
    fail(`tensor "${twice}" is listed twice`);
  for (const [name, shard] of entries) {
    if (typeof shard !== 'string' || basename(shard) !== shard || !shard.endsWith('.safetensors'))
      fail(
        `tensor "${name}": expected the name of a .safetensors file beside the index, got ${JSON.stringify(shard)}`,
      );
  }
  return new Map(entries as [string, string][]);
}

function describeKeys(entries: readonly (readonly [string, string])[]): string {
  const names = entries.map(([name]) => name);
  const shown = names.slice(0, 3).join(', ');
  const tensors = names.length === 1 ? '1 tensor' : `${names.length} tensors`;
  return `${tensors}: ${shown}${names.length > 3 ? ', …' : ''}`;
}
