import { isModel, type Model } from '../dsl/model.ts';
import { UserError } from '../errors.ts';
import type { Graph } from '../ir/node.ts';
import { trace } from '../trace/tracer.ts';
import type { WeightNames } from '../weights/index.ts';
import { displayPath, importModule, splitReference } from './load-module.ts';

export interface LoadedModel {
  readonly model: Model;
  readonly file: string;
  /** As traced, symbolic in its named dimensions. */
  readonly graph: Graph;
  /** The module's `weightNames` export: how names in weight files differ from the model's. */
  readonly weightNames: WeightNames;
}

/**
 * Loads and traces the model that `path/to/model.ts` or `path/to/model.ts#export` names. Without an export: the default
 * export, or the only model there is.
 *
 * @throws UserError listing the models there are when the export is unknown, not a model, or not the only one.
 */
export async function loadModel(reference: string): Promise<LoadedModel> {
  const { file, exportName } = splitReference(reference);
  const exports = await importModule(file);
  const model = pick(exports, exportName, displayPath(file));
  return { model, file, graph: trace(model), weightNames: (exports.weightNames ?? {}) as WeightNames };
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
        ? `${file}#${name} is not a model: ${listed}`
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
