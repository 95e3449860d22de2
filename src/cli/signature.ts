import { evalShape } from '../ir/dims.ts';
import type { DType, Graph } from '../ir/node.ts';

export interface InputSpec {
  readonly id: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Exclusive upper bound of ids. */
  readonly below?: number;
  /** The program takes the tensor over: every run needs a new one. */
  readonly donated?: boolean;
}

export interface ParamSpec {
  readonly id: string;
  readonly key: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** What a program takes, with every size a number. */
export interface Signature {
  readonly inputs: readonly InputSpec[];
  readonly params: readonly ParamSpec[];
}

/** The signature of a specialised graph. */
export const signatureOf = (graph: Graph): Signature => ({
  inputs: graph.inputs.map(({ id, shape, dtype, below, donated }) => ({
    id,
    shape: evalShape(shape, {}),
    dtype,
    ...(below === undefined ? {} : { below }),
    ...(donated ? { donated } : {}),
  })),
  params: graph.params.map(({ id, key, shape, dtype }) => ({ id, key, shape: evalShape(shape, {}), dtype })),
});
