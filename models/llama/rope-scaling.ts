/** `rope_scaling` of a Hugging Face `config.json`: how the rotary frequencies are stretched to longer contexts. */
export type RopeScaling = LinearScaling | Llama3Scaling;

/** Every position counts as `1 / factor` of one. */
export interface LinearScaling {
  readonly rope_type: 'linear';
  readonly factor: number;
}

/** Llama 3's: only long waves are stretched. */
export interface Llama3Scaling {
  readonly rope_type: 'llama3';
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/**
 * The stretched frequencies. Of `llama3`, waves shorter than a fraction of the original context stay, waves longer than
 * another are slowed down by `factor`, and those between are blended.
 */
export function scaleFrequencies(frequencies: readonly number[], scaling: RopeScaling): number[] {
  if (scaling.rope_type === 'linear') return frequencies.map((frequency) => frequency / scaling.factor);
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  return frequencies.map((frequency) => {
    const waves = (scaling.original_max_position_embeddings * frequency) / (2 * Math.PI);
    const kept = Math.min(1, Math.max(0, (waves - low) / (high - low)));
    return kept * frequency + ((1 - kept) * frequency) / factor;
  });
}
