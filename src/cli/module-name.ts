import { type GivenDims, sizeText } from './dims.ts';

/** `llama.n512.ts`, `llama.n1-8192.ts`: characters that files do not like become `_`. */
export const moduleName = (model: string, dims: GivenDims): string => {
  const sizes = Object.entries(dims).map(([name, size]) => name.toLowerCase() + sizeText(size, '-'));
  const parts = [model, ...sizes];
  return `${parts.join('.').replace(/[^\w.$-]/g, '_')}.ts`;
};
