import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LLAMA32_1B } from '../../models/llama/config.ts';
import { type RopeScaling, scaleFrequencies } from '../../models/llama/rope-scaling.ts';

test('llama3 scaling keeps short waves, slows long ones by the factor and joins them without a jump', () => {
  const scaling = LLAMA32_1B.rope_scaling as RopeScaling;
  const scaled = (wavelength: number) => {
    const frequency = (2 * Math.PI) / wavelength;
    return scaleFrequencies([frequency], scaling)[0]! / frequency;
  };
  expect(scaled(6.28)).toBe(1);
  expect(scaled(2047)).toBe(1);
  expect(scaled(2048.01)).toBeCloseTo(1, 4);
  // Half way between 1 and 4 waves per original context.
  expect(scaled(8192 / 2.5)).toBeCloseTo(0.5 + 0.5 / 32, 12);
  expect(scaled(8191.99)).toBeCloseTo(1 / 32, 4);
  expect(scaled(100000)).toBe(1 / 32);
});

test('linear scaling slows every wave', () => {
  expect(scaleFrequencies([1, 0.25], { rope_type: 'linear', factor: 4 })).toEqual([0.25, 0.0625]);
});

/** The formula as Hugging Face's `_compute_llama3_parameters` states it, in wavelengths and cases. */
function byCases(frequency: number, scaling: RopeScaling): number {
  if (scaling.rope_type !== 'llama3') throw new Error('llama3 only');
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings: context } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < context / high_freq_factor) return frequency;
  if (wavelength > context / low_freq_factor) return frequency / factor;
  const smooth = (context / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

test('llama3 scaling is the formula of Hugging Face, of every published model and others', () => {
  const check = (frequencies: readonly number[], scaling: RopeScaling) =>
    scaleFrequencies(frequencies, scaling).forEach((scaled, i) => {
      expect(Math.abs(scaled / byCases(frequencies[i]!, scaling) - 1)).toBeLessThan(1e-12);
    });
  for (const [theta, dim, factor] of [
    [500000, 64, 32],
    [500000, 128, 8],
  ] as const) {
    const frequencies = Array.from({ length: dim / 2 }, (_, i) => theta ** ((-2 * i) / dim));
    check(frequencies, { ...(LLAMA32_1B.rope_scaling as RopeScaling), factor });
  }
  const between = (min: number, max: number) => fc.double({ min, max, noNaN: true });
  fc.assert(
    fc.property(
      between(1e-7, 1),
      between(1, 64),
      between(0.5, 2),
      between(2.5, 8),
      (frequency, factor, low, high) => {
        check([frequency], {
          rope_type: 'llama3',
          factor,
          low_freq_factor: low,
          high_freq_factor: high,
          original_max_position_embeddings: 8192,
        });
      },
    ),
  );
});
