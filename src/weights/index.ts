export { type CheckpointFiles, findCheckpoint, readCheckpoint, readJsonObject } from './checkpoint.ts';
export * from './data.ts';
export { readSafetensors, writeSafetensors } from './safetensors-file.ts';
