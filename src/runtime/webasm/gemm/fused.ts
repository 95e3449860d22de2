import { f32x4, v128 } from '../assembler/instructions.ts';
import { WasmModule } from '../assembler/module.ts';

/**
 * Whether the engine multiplies and adds in one instruction, which is part of relaxed SIMD. Some engines had another
 * instruction under this code while the proposal was young, so its result is looked at, too.
 */
export function hasFusedMultiply(): boolean {
  const module = new WasmModule();
  module.define(
    ['i32'],
    (_, at) =>
      v128.store(at, f32x4.relaxedMadd(v128.loadSplat(at), v128.loadSplat(at, 4), v128.loadSplat(at, 8))),
    'run',
  );
  const bytes = module.bytes({ maximumPages: 1, shared: false });
  if (!WebAssembly.validate(bytes)) return false;
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const numbers = new Float32Array(memory.buffer);
  numbers.set([2, 3, 4]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  (exports.run as (address: number) => void)(0);
  return numbers[0] === 2 * 3 + 4;
}
