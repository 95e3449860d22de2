import type { ModuleInfo } from '../codegen/load.ts';
import * as runtime from '../runtime/index.ts';
import type { Signature } from './signature.ts';

/**
 * What a generated module says about itself; undefined for any other source, such as a model.
 *
 * @throws UserError when it looks like a generated module and is broken.
 */
export async function readGeneratedInfo(source: string): Promise<ModuleInfo | undefined> {
  if (!/^export const info\b/m.test(source) || !/^export async function run\b/m.test(source))
    return undefined;
  // On demand: it brings a whole TypeScript compiler, which most commands do without.
  const { loadModule } = await import('../codegen/load.ts');
  return loadModule(source, runtime).info;
}

/** The inputs and parameters of a generated module; parameters are f32. */
export const signatureOfModule = (info: ModuleInfo): Signature => ({
  inputs: Object.entries(info.inputs).map(([id, input]) => ({ id, ...input })),
  params: Object.entries(info.params).map(([id, { key, shape }]) => ({ id, key, shape, dtype: 'f32' })),
});
