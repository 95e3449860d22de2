/** The lowest finite float32: what masked scores count as. */
export const LOWEST_F32 = -3.4028234663852886e38;
