/** Property-based testing of models and plans: random programs, random data, and the two promises as a check. */
export { type Comparison, comparePlan, type PlanRun, runPlan } from './compare.ts';
export { type RangeCase, RangeSubject } from './compare-range.ts';
export { SPLIT_TOLERANCE } from './difference.ts';
export { type LoopPick, legalLoops } from './legal-loops.ts';
export { type ProgramConstraints, programs, type RandomProgram } from './programs.ts';
export { type ModelData, randomData, randomSource } from './random.ts';
