import type { GeneratedModule, ModuleInfo, RangeModule } from '../codegen/load.ts';
import { UserError } from '../errors.ts';
import * as runtime from '../runtime/index.ts';
import type { DeclaredInput, GivenInputs } from './inputs.ts';
import { bindDims } from './inputs.ts';
import type { Signature } from './signature.ts';

type Loaded = GeneratedModule<runtime.Device, runtime.Tensor> | RangeModule<runtime.Device, runtime.Tensor>;

/**
 * A generated module, loaded; undefined for any other source, such as a model.
 *
 * @throws UserError when it looks like a generated module and is broken.
 */
export async function readGenerated(source: string): Promise<Loaded | undefined> {
  if (!/^export const info\b/m.test(source) || !/^export async function run\b/m.test(source))
    return undefined;
  // On demand: it brings a whole TypeScript compiler, which most commands do without.
  const { loadAnyModule } = await import('../codegen/load.ts');
  return loadAnyModule<runtime.Device, runtime.Tensor>(source, runtime);
}

/** The inputs a module declares; those of a module for a range have named extents. */
export const declaredInputs = ({ info }: Loaded): readonly DeclaredInput[] =>
  Object.entries(info.inputs).map(([id, input]) => ({ id, ...input }));

/**
 * What a module says at the size that its inputs have or that `--dims` gives.
 *
 * @throws UserError for sizes of a module whose sizes are fixed, and for a size that is not in its range or not given
 */
export async function infoOf(
  module: Loaded,
  given: GivenInputs | undefined,
  dims: Readonly<Record<string, number>>,
): Promise<ModuleInfo> {
  const { infoAt, isRangeModule, rangeOf } = await import('../codegen/load.ts');
  const usage = (message: string): UserError => new UserError(`--dims: ${message}`, { exitCode: 2 });
  const names = Object.keys(dims);
  if (!isRangeModule(module)) {
    const sizes = Object.entries(module.info.dims).map(([name, size]) => `${name} = ${size}`);
    if (names.length > 0)
      throw usage(`the sizes of a generated module are fixed (${sizes.join(' · ') || 'it has none'})`);
    return module.info;
  }
  const [over, from, to] = rangeOf(module.info);
  const other = names.find((name) => name !== over);
  if (other !== undefined)
    throw usage(`of this module only ${over} is open, from ${from} to ${to}; got ${other}`);
  const size = (given ? bindDims(declaredInputs(module), given, dims) : dims)[over];
  if (size === undefined)
    throw usage(
      `the module is for ${over} from ${from} to ${to}: give a size such as ${over}=${to}, or --input`,
    );
  return infoAt(module, size);
}

/** The inputs and parameters of a generated module; parameters are f32. */
export const signatureOfModule = (info: ModuleInfo): Signature => ({
  inputs: Object.entries(info.inputs).map(([id, input]) => ({ id, ...input })),
  params: Object.entries(info.params).map(([id, { key, shape }]) => ({ id, key, shape, dtype: 'f32' })),
});
