import type { Backend } from '../../../ir/ops/op.ts';
import type { CostModel } from '../cost-model.ts';
import { cpu } from './cpu.ts';
import { webasm } from './webasm.ts';
import { webgpu } from './webgpu.ts';

/** The figures that autochunk ships for each backend: what the compiler goes by when it is given no others. */
export const COST_MODELS: Readonly<Record<Backend, CostModel>> = { webgpu, webasm, cpu };
