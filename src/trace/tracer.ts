import type { Model } from '../dsl/model.ts';
import { SymbolicTensor, type Tensor } from '../dsl/tensor.ts';
import { InternalError, UserError } from '../errors.ts';
import type { Graph } from '../ir/node.ts';
import { errorSite } from './call-site.ts';
import { describe, Recorder, recordingWith } from './recorder.ts';

/**
 * Runs a model's forward function on symbolic tensors and returns the graph it records, with source locations, scopes
 * and the author's names. Dead and repeated ops are kept: the compiler removes them.
 *
 * @throws UserError for shapes that do not fit (with the call site), for outputs that are not tensors, and for any error
 *   that the model's own code throws (as `cause`).
 */
export function trace(model: Model): Graph {
  const recorder = new Recorder(model.name, model.at);
  return recordingWith(recorder, () => {
    const inputs: Record<string, Tensor> = {};
    for (const [name, spec] of Object.entries(model.inputs)) {
      inputs[name] = recorder.input(name, spec);
    }
    return recorder.graph(outputsOf(recorder, model, run(recorder, model, inputs)));
  });
}

function run(recorder: Recorder, model: Model, inputs: Record<string, Tensor>): unknown {
  try {
    return model.forward(inputs);
  } catch (error) {
    if (error instanceof UserError || error instanceof InternalError) throw error;
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw recorder.fault(`model ${model.name} failed: ${message}`, errorSite(error), error);
  }
}

function outputsOf(recorder: Recorder, model: Model, result: unknown): (readonly [string, Tensor])[] {
  const expected = `model ${model.name}: expected forward to return a tensor or a record of tensors`;
  const fail = (got: string): never => {
    throw recorder.fault(`${expected}, got ${got}`, model.at);
  };
  if (result instanceof SymbolicTensor) return [['output', result]];
  if (typeof result !== 'object' || result === null || Array.isArray(result) || result instanceof Promise) {
    return fail(describe(result));
  }
  const entries = Object.entries(result);
  if (entries.length === 0) return fail('an empty record');
  return entries.map(([name, value]) => {
    if (!(value instanceof SymbolicTensor)) return fail(`${describe(value)} for "${name}"`);
    return [name, value] as const;
  });
}
