/** The smallest chunk size with which `extent` units make as few chunks as they do with chunks of `size`. */
export const evenChunk = (extent: number, size: number): number =>
  Math.ceil(extent / Math.ceil(extent / size));

/**
 * How many of `extent` units a chunk takes where there is room for `most` of them: as many as fit, at least one, and all
 * chunks about as long.
 */
export const fitChunk = (extent: number, most: number): number =>
  evenChunk(extent, Math.max(1, Math.min(extent, Math.floor(most))));
