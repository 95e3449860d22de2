import type { Dim } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { emit, expectThat } from './emit.ts';

export interface TimestepOptions {
  /** Cosines before sines. Default: false. */
  readonly flipSinToCos?: boolean;
  /** Subtracted from the number of frequencies in the exponent. Default: 1. */
  readonly downscaleFreqShift?: number;
  /** The lowest frequency is its inverse. Default: 10000. */
  readonly maxPeriod?: number;
}

/**
 * Sinusoids [n, width] of timesteps or positions [n], as diffusers' `get_timestep_embedding`: sines and cosines of
 * t · maxPeriod^(-i / (width / 2 - downscaleFreqShift)). An odd width ends in a zero.
 */
export function timestepEmbedding<N extends Dim, const W extends number>(
  t: Tensor<readonly [N]>,
  width: W,
  options: TimestepOptions = {},
): Tensor<[N, W]> {
  const { flipSinToCos = false, downscaleFreqShift = 1, maxPeriod = 10000 } = options;
  const half = Math.floor(width / 2);
  expectThat(
    Number.isInteger(width) && half > downscaleFreqShift,
    'timestepEmbedding',
    () => `expected a width of more than ${2 * downscaleFreqShift + 1}, got ${width}`,
  );
  const values = Array.from({ length: half }, (_, i) =>
    Math.fround(maxPeriod ** (-i / (half - downscaleFreqShift))),
  );
  const frequencies = emit('constant', [], { shape: [1, half], values }, { name: 'frequencies' });
  const rows = emit('reshape', [t], { shape: [t.shape[0], 1] }, { name: 'timesteps' });
  const angles = emit('mul', [rows, frequencies], {}, { name: 'angles' });
  const waves = [
    emit('sin', [angles], {}, { name: 'sines' }),
    emit('cos', [angles], {}, { name: 'cosines' }),
  ];
  if (flipSinToCos) waves.reverse();
  if (width % 2 === 1) {
    waves.push(emit('full', [], { shape: [t.shape[0], 1], value: 0 }, { name: 'zeros' }));
  }
  return emit('concat', waves, { axis: 1 });
}
