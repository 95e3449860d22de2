/** Llama 3's stretch of the rotary frequencies to longer contexts (`rope_scaling` of a Hugging Face `config.json`). */
export interface RopeScaling {
  readonly rope_type: 'llama3';
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/**
 * Waves shorter than a fraction of the original context stay, waves longer than another are slowed down by `factor`, and
 * those between are blended.
 */
export function scaleFrequencies(frequencies: readonly number[], scaling: RopeScaling): number[] {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  return frequencies.map((frequency) => {
    const waves = (scaling.original_max_position_embeddings * frequency) / (2 * Math.PI);
    const kept = Math.min(1, Math.max(0, (waves - low) / (high - low)));
    return kept * frequency + ((1 - kept) * frequency) / factor;
  });
}
