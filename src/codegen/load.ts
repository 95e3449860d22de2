import { ts } from 'ts-morph';
import { UserError } from '../errors.ts';
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
  ): Promise<Record<string, T>>;
}

const RUNTIME = 'autochunk/runtime';

/**
 * Evaluates the text of a generated module in this process, with `runtime` for its one import. Throws UserError when the
 * text does not parse, imports anything else, fails while loading or is not a generated module. The text is code and runs
 * with all rights of the process: load only modules you would import.
 */
export function loadModule<D = unknown, T = unknown>(source: string, runtime: object): GeneratedModule<D, T> {
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
  return { info: exports.info, run: exports.run } as GeneratedModule<D, T>;
}

const notAModule = (reason: string, cause?: unknown): UserError =>
  new UserError(`not a generated module: ${reason}. Pass a file written by \`autochunk compile\`.`, {
    cause,
  });

function check({ info, run }: Record<string, unknown>): void {
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
  for (const key of ['inputs', 'params', 'outputs']) {
    for (const [name, tensor] of Object.entries(info[key] as object)) {
      if (!isRecord(tensor) || !isShape(tensor.shape))
        throw notAModule(`\`info.${key}.${name}\` has no shape`);
    }
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isShape = (value: unknown): boolean =>
  Array.isArray(value) && value.every((extent) => Number.isInteger(extent) && extent >= 0);
