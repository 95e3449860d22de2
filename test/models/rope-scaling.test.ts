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
