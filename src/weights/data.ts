/** Weights as data: everything that needs no file system. */
export { ConfigReader } from './config-reader.ts';
export { type Llama2cCheckpoint, type Llama2cConfig, parseLlama2c } from './llama2c.ts';
export { type MatchOptions, matchParameters, type ParameterShape, type WeightNames } from './match.ts';
export { type ByteSource, parseSafetensors, type Safetensors } from './safetensors.ts';
export { encodeSafetensors, type TensorsToWrite } from './safetensors-encode.ts';
export type { StateDict, StoredTensor, WeightTensor } from './tensor.ts';
