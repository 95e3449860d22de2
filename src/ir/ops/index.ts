import { InternalError, UserError } from '../../errors.ts';
import { concatOps } from './concat.ts';
import { convOps } from './conv.ts';
import { einsumOps } from './einsum.ts';
import { elementwiseOps } from './elementwise.ts';
import { embeddingOps } from './embedding.ts';
import { fusedOps } from './fused.ts';
import { generateOps } from './generate.ts';
import { groupNormOps } from './group-norm.ts';
import { maskOps } from './mask.ts';
import { matmulOps } from './matmul.ts';
import { momentOps } from './moments.ts';
import { normOps } from './norm.ts';
import type { OpDef } from './op.ts';
import { padOps } from './pad.ts';
import { poolOps } from './pool.ts';
import { reduceOps } from './reduce.ts';
import { rotaryOps } from './rotary.ts';
import { scalarAndComparisonOps } from './scalar.ts';
import { softmaxOps } from './softmax.ts';
import { viewOps } from './view.ts';

const registry = new Map<string, OpDef>(
  [
    elementwiseOps,
    scalarAndComparisonOps,
    fusedOps,
    matmulOps,
    softmaxOps,
    normOps,
    reduceOps,
    viewOps,
    concatOps,
    embeddingOps,
    generateOps,
    maskOps,
    rotaryOps,
    einsumOps,
    convOps,
    poolOps,
    groupNormOps,
    momentOps,
    padOps,
  ]
    .flat()
    .map((def) => [def.name, def]),
);

const userOps = new Set<string>();

/** The definition of an op. Graphs are verified, so an unknown name is a defect: InternalError. */
export function opDef(name: string): OpDef {
  const def = registry.get(name);
  if (!def) throw new InternalError(`no op is named "${name}"`);
  return def;
}

/** Is it an op that {@link registerOp} added? */
export const isUserOp = (name: string): boolean => userOps.has(name);

export const hasOp = (name: string): boolean => registry.has(name);

/** Adds an op of the user's. Throws UserError when the name is taken or not an identifier. */
export function registerOp(def: OpDef): void {
  if (!/^[A-Za-z_$][\w$]*$/.test(def.name)) {
    throw new UserError(`op name "${def.name}" is not an identifier; use letters, digits, _ and $`);
  }
  if (registry.has(def.name)) {
    throw new UserError(`an op named "${def.name}" exists already; choose another name`);
  }
  registry.set(def.name, def);
  userOps.add(def.name);
}

/** Every known op, ours first, in order of registration. */
export const allOps = (): readonly OpDef[] => [...registry.values()];
