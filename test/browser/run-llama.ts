/** Runs a generated Llama module: the same program in Node and, bundled, in the browser. */
import type { GeneratedModule } from 'autochunk';
import {
  type BackendName,
  type Device,
  loadParameters,
  measure,
  openDevice,
  type Tensor,
} from 'autochunk/runtime';
import { matchParameters, parseSafetensors } from 'autochunk/weights';

export type LlamaModule = GeneratedModule<Device, Tensor>;

/** Plain data, so that it crosses from the page to the test. */
export interface LlamaRun {
  readonly backend: string;
  readonly adapter: string;
  readonly logits: readonly number[];
  /** Of activations, while the module ran. */
  readonly peakBytes: number;
  /** What is left of activations and parameters once everything is freed. */
  readonly leftBytes: number;
}

/** Runs `module` on the first tokens stored in a safetensors file beside the weights. */
export async function runLlama(
  module: LlamaModule,
  backend: BackendName,
  safetensors: Uint8Array,
): Promise<LlamaRun> {
  const { tensors } = parseSafetensors(safetensors);
  const weights = matchParameters(Object.values(module.info.params), tensors, {
    ignore: [/^(input|output)\./],
  });
  const length = module.info.dims.N as number;
  const ids = tensors.get('input.tokens')?.load().data.slice(0, length) ?? [];
  const device = await openDevice({ backend });
  try {
    const params = loadParameters(device, module.info.params, weights);
    const tokens = device.upload(ids, [length], 'i32');
    const { result, peakBytes } = await measure(device, () => module.run(device, { tokens }, params));
    const logits = [...(await device.read(result.logits as Tensor))];
    for (const tensor of [tokens, ...Object.values(result), ...Object.values(params)]) tensor.free();
    const { liveBytes, parameterBytes } = device.memory;
    return {
      backend: device.backend,
      adapter: device.adapter,
      logits,
      peakBytes,
      leftBytes: liveBytes + parameterBytes,
    };
  } finally {
    await device.destroy();
  }
}
