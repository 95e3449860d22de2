import { existsSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import type { WeightNames } from '../weights/index.ts';
import { importModule } from './load-module.ts';

/**
 * How names in weight files differ from a model's own: the `weightNames` export of the model's module, or of the module
 * `weights` beside it.
 */
export async function loadWeightNames(modelFile: string): Promise<WeightNames> {
  const beside = join(dirname(modelFile), `weights${extname(modelFile)}`);
  for (const file of [modelFile, beside]) {
    if (!existsSync(file)) continue;
    const { weightNames } = await importModule(file);
    if (typeof weightNames === 'object' && weightNames !== null) return weightNames as WeightNames;
  }
  return {};
}
