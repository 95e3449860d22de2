import type { WasmFunctionEmitter } from 'gpu.js/src/backend/web-assembly/wasm-builder.js';

/** `v128.load32_splat`, which gpu.js's emitter lacks: the float at the address on the stack plus `offset`, in all lanes. */
export function loadSplat(em: WasmFunctionEmitter, offset: number): void {
  em.bytes.push(0xfd, 0x09, 2);
  let rest = offset;
  for (; rest > 0x7f; rest >>>= 7) em.bytes.push((rest & 0x7f) | 0x80);
  em.bytes.push(rest);
}
