import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isModel, type Model } from '../dsl/model.ts';
import { UserError } from '../errors.ts';
import type { Graph } from '../ir/node.ts';
import { trace } from '../trace/tracer.ts';
import { readJsonObject, type WeightNames } from '../weights/index.ts';
import { displayPath, importModule, splitReference } from './load-module.ts';

export interface LoadedModel {
  readonly model: Model;
  readonly file: string;
  /** As traced, symbolic in its named dimensions. */
  readonly graph: Graph;
  /** The module's `weightNames` export: how names in weight files differ from the model's. */
  readonly weightNames: WeightNames;
  /** The `config.json` that describes the model, if one does. */
  readonly configFile?: string;
}

export interface LoadModelOptions {
  /** `--config`: a checkpoint's `config.json`, or the folder it is in. */
  readonly config?: string | undefined;
  /** A downloaded folder whose `config.json` is used where the module takes one and no export is named. */
  readonly checkpoint?: string | undefined;
}

/** What a module's `fromConfig` export is: a model for a checkpoint's parsed `config.json`. */
type FromConfig = (json: unknown, file: string) => unknown;

export const CONFIG_HELP = 'config.json of a checkpoint, or its folder: the sizes of the model';

/**
 * Loads and traces the model that `path/to/model.ts` or `path/to/model.ts#export` names. Without an export: the default
 * export, or the only model there is. With a checkpoint's `config.json`: the model that the module's `fromConfig`
 * export (or the function named) makes of it.
 *
 * @throws UserError listing the models there are when the export is unknown, not a model, or not the only one.
 */
export async function loadModel(reference: string, options: LoadModelOptions = {}): Promise<LoadedModel> {
  const { file, exportName } = splitReference(reference);
  const exports = await importModule(file);
  const configFile = findConfig(exports, exportName, options);
  const model =
    configFile === undefined
      ? pick(exports, exportName, displayPath(file))
      : fromConfig(exports, exportName ?? 'fromConfig', displayPath(file), configFile);
  return {
    model,
    file,
    graph: trace(model),
    weightNames: (exports.weightNames ?? {}) as WeightNames,
    ...(configFile === undefined ? {} : { configFile }),
  };
}

/** The `config.json` of a folder, or the file itself. */
function configIn(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const file = statSync(path).isDirectory() ? join(path, 'config.json') : path;
  return existsSync(file) ? file : undefined;
}

function findConfig(
  exports: Readonly<Record<string, unknown>>,
  exportName: string | undefined,
  { config, checkpoint }: LoadModelOptions,
): string | undefined {
  if (config !== undefined) {
    const file = configIn(config);
    if (file === undefined)
      throw new UserError(
        `--config: there is no ${existsSync(config) ? join(config, 'config.json') : config}`,
        {
          exitCode: 2,
        },
      );
    return file;
  }
  const takes = exports[exportName ?? 'fromConfig'];
  const usable = checkpoint !== undefined && typeof takes === 'function' && existsSync(checkpoint);
  return usable && statSync(checkpoint).isDirectory() ? configIn(checkpoint) : undefined;
}

function fromConfig(
  exports: Readonly<Record<string, unknown>>,
  name: string,
  file: string,
  configFile: string,
): Model {
  const make = exports[name];
  if (typeof make !== 'function') {
    const expected = `--config: expected a function from the parsed config.json to a model`;
    throw new UserError(
      isModel(make)
        ? `${expected}; ${file}#${name} is a model whose sizes are fixed: leave out #${name} or --config`
        : `${expected} as export ${name} of ${file}`,
      { exitCode: 2 },
    );
  }
  const model = (make as FromConfig)(readJsonObject(configFile), configFile);
  if (!isModel(model))
    throw new UserError(`${file}#${name} does not return a model for ${configFile}`, { exitCode: 2 });
  return model;
}

function pick(exports: Readonly<Record<string, unknown>>, name: string | undefined, file: string): Model {
  const names = Object.keys(exports).filter((key) => isModel(exports[key]));
  const listed = names.length === 0 ? 'it exports no model' : `its models are ${names.join(', ')}`;
  const usage = (message: string): UserError => new UserError(message, { exitCode: 2 });
  if (name !== undefined) {
    const value = exports[name];
    if (isModel(value)) return value;
    throw usage(
      name in exports
        ? `${file}#${name} is not a model${typeof value === 'function' ? ' (does it take a --config?)' : ''}: ${listed}`
        : `${file} has no export ${name}: ${listed}`,
    );
  }
  if (isModel(exports.default)) return exports.default;
  const distinct = new Set(names.map((key) => exports[key]));
  const only = exports[names[0] ?? ''];
  if (distinct.size === 1 && isModel(only)) return only;
  if (names.length === 0) {
    const all = Object.keys(exports);
    const others = all.length === 0 ? 'it exports nothing' : `it exports ${all.join(', ')}`;
    throw usage(`${file} exports no model: ${others}; export the result of defineModel(…)`);
  }
  throw usage(`${file} has several models; say which: ${names.map((key) => `${file}#${key}`).join(', ')}`);
}
