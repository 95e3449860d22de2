import { ts } from 'ts-morph';
import { UserError } from '../errors.ts';
import { evalShape } from '../ir/dims.ts';
import type { DType } from '../ir/node.ts';

export interface TensorInfo {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Exclusive upper bound of an index input. */
  readonly below?: number;
  /** Of an input: the module takes the tensor over and frees it. */
  readonly donated?: boolean;
}

/** What a generated module says about itself. */
export interface ModuleInfo {
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly backend: string;
  readonly budgetBytes: number;
  readonly unchunkedPeakBytes: number;
  readonly plannedPeakBytes: number;
  /** Of a module for a backend with an arena: bytes of the block that its storages lie in. */
  readonly arenaBytes?: number;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly params: Readonly<Record<string, { readonly key: string; readonly shape: readonly number[] }>>;
  readonly outputs: Readonly<Record<string, TensorInfo>>;
}

/** A generated module, loaded. `D` and `T` are the runtime's device and tensor. */
export interface GeneratedModule<D, T> {
  readonly info: ModuleInfo;
  run(
    device: D,
    inputs: Readonly<Record<string, T>>,
    params: Readonly<Record<string, T>>,
    options?: ModuleRunOptions,
  ): Promise<Record<string, T>>;
}

/** The runtime's `RunOptions`. */
export interface ModuleRunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((progress: {
        readonly section: string;
        readonly loop?: { readonly id: string; readonly done: number; readonly of: number };
      }) => void)
    | undefined;
}

/** An extent: a number, or the name of a dimension. */
type Extents = readonly (number | string)[];

/** What a module for a range of sizes says about itself. Peaks are those at the largest size. */
export interface RangeModuleInfo extends Omit<ModuleInfo, 'dims' | 'inputs' | 'params' | 'outputs'> {
  /** A number, or the smallest and the largest value of the one dimension that has a range. */
  readonly dims: Readonly<Record<string, number | readonly [from: number, to: number]>>;
  readonly capBytes?: number;
  readonly inputs: Readonly<Record<string, Omit<TensorInfo, 'shape'> & { readonly shape: Extents }>>;
  readonly params: Readonly<Record<string, { readonly key: string; readonly shape: readonly number[] }>>;
  /** Extents of outputs may be expressions such as `2*N`. */
  readonly outputs: Readonly<Record<string, { readonly shape: Extents; readonly dtype: DType }>>;
}

/** A generated module for a range of sizes, loaded. */
export interface RangeModule<D, T> extends Omit<GeneratedModule<D, T>, 'info'> {
  readonly info: RangeModuleInfo;
  /** What a run at one size measures, to the byte. */
  plannedPeakBytes(size: number): number;
}

/** What a module for a range says at one size of its dimension. @throws UserError outside the range */
export function infoAt<D, T>({ info, plannedPeakBytes }: RangeModule<D, T>, size: number): ModuleInfo {
  const [over, from, to] = rangeOf(info);
  if (!Number.isInteger(size) || size < from || size > to)
    throw new UserError(
      `${info.model}: ${over} = ${size} is outside the range ${from} … ${to} of the module`,
    );
  const dims: Record<string, number> = {};
  for (const [name, value] of Object.entries(info.dims))
    dims[name] = typeof value === 'number' ? value : size;
  const bound = <T extends { readonly shape: Extents }>(tensors: Readonly<Record<string, T>>) =>
    Object.fromEntries(
      Object.entries(tensors).map(([id, tensor]) => [
        id,
        { ...tensor, shape: evalShape(tensor.shape, dims) },
      ]),
    );
  return {
    ...info,
    dims,
    plannedPeakBytes: plannedPeakBytes(size),
    inputs: bound(info.inputs),
    outputs: bound(info.outputs),
  };
}

/** The dimension of a module that has a range, and the range. */
export function rangeOf(info: RangeModuleInfo): readonly [name: string, from: number, to: number] {
  for (const [name, value] of Object.entries(info.dims))
    if (typeof value !== 'number') return [name, ...value];
  throw notAModule('it is not for a range of sizes');
}

const RUNTIME = 'autochunk/runtime';

/**
 * Evaluates the text of a generated module in this process, with `runtime` for its one import. Throws UserError when the
 * text does not parse, imports anything else, fails while loading or is not a generated module. The text is code and runs
 * with all rights of the process: load only modules you would import.
 */
export function loadModule<D = unknown, T = unknown>(source: string, runtime: object): GeneratedModule<D, T> {
  const module = loadAnyModule<D, T>(source, runtime);
  if (isRangeModule(module)) {
    throw new UserError(
      `this module is for a range of ${rangeOf(module.info)[0]}: load it with loadRangeModule, or compile the model for one size`,
    );
  }
  return module;
}

/** Like {@link loadModule}, for modules of a range of sizes. */
export function loadRangeModule<D = unknown, T = unknown>(
  source: string,
  runtime: object,
): RangeModule<D, T> {
  const module = loadAnyModule<D, T>(source, runtime);
  if (isRangeModule(module)) return module;
  throw new UserError('this module is for one size, not for a range: load it with loadModule');
}

/** Is a module for a range of sizes? */
export const isRangeModule = <D, T>(
  module: GeneratedModule<D, T> | RangeModule<D, T>,
): module is RangeModule<D, T> => Object.values(module.info.dims).some((size) => typeof size !== 'number');

/** Loads a module, for one size or for a range of them. */
export function loadAnyModule<D = unknown, T = unknown>(
  source: string,
  runtime: object,
): GeneratedModule<D, T> | RangeModule<D, T> {
  const { outputText, diagnostics } = ts.transpileModule(source, {
    reportDiagnostics: true,
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      isolatedModules: true,
    },
  });
  const fault = diagnostics?.[0];
  if (fault) {
    const at = fault.file?.getLineAndCharacterOfPosition(fault.start ?? 0);
    const where = at ? ` (line ${at.line + 1}, column ${at.character + 1})` : '';
    throw notAModule(`${ts.flattenDiagnosticMessageText(fault.messageText, ' ')}${where}`);
  }
  const require = (specifier: string): object => {
    if (specifier === RUNTIME) return runtime;
    throw new UserError(
      `not a generated module: it imports '${specifier}'. A generated module imports only '${RUNTIME}'.`,
    );
  };
  const exports: Record<string, unknown> = {};
  try {
    new Function('exports', 'require', outputText)(exports, require);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw notAModule(error instanceof Error ? error.message : String(error), error);
  }
  check(exports);
  return exports as unknown as GeneratedModule<D, T> | RangeModule<D, T>;
}

const notAModule = (reason: string, cause?: unknown): UserError =>
  new UserError(`not a generated module: ${reason}. Pass a file written by \`autochunk compile\`.`, {
    cause,
  });

function check({ info, run, plannedPeakBytes }: Record<string, unknown>): void {
  if (typeof run !== 'function') throw notAModule('it exports no function `run`');
  if (!isRecord(info)) throw notAModule('it exports no object `info`');
  for (const key of ['model', 'backend']) {
    if (typeof info[key] !== 'string') throw notAModule(`\`info.${key}\` is not a string`);
  }
  for (const key of ['budgetBytes', 'unchunkedPeakBytes', 'plannedPeakBytes']) {
    if (!Number.isSafeInteger(info[key])) throw notAModule(`\`info.${key}\` is not a number of bytes`);
  }
  for (const key of ['dims', 'inputs', 'params', 'outputs']) {
    if (!isRecord(info[key])) throw notAModule(`\`info.${key}\` is not an object`);
  }
  const ranges = Object.values(info.dims as object).filter((size) => typeof size !== 'number');
  if (ranges.length > 0) {
    if (ranges.length > 1 || !ranges.every(isRange)) throw notAModule('`info.dims` has no proper range');
    if (typeof plannedPeakBytes !== 'function') throw notAModule('it exports no function `plannedPeakBytes`');
  }
  for (const key of ['inputs', 'params', 'outputs']) {
    for (const [name, tensor] of Object.entries(info[key] as object)) {
      if (!isRecord(tensor) || !isShape(tensor.shape, ranges.length > 0))
        throw notAModule(`\`info.${key}.${name}\` has no shape`);
    }
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isShape = (value: unknown, named: boolean): boolean =>
  Array.isArray(value) &&
  value.every((extent) => (Number.isInteger(extent) && extent >= 0) || (named && typeof extent === 'string'));

const isRange = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every((end) => Number.isSafeInteger(end) && end > 0);
