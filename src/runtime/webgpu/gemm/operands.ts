/*
 * How elements of A and B are found. What belongs to a row of A or a column of B is computed once, `…Place`; what belongs to a
 * step of k, `…Step`, once for all rows or columns that a thread reads; `…At` reads the element at both.
 */

/** A and B lie in memory through strides. */
export const PRODUCT_OPERANDS = `
fn aPlace(z : i32, row : i32) -> i32 { return p.a + z * p.aBatch + row * p.aRow; }
fn aStep(k : i32) -> i32 { return k * p.aK; }
fn aAt(place : i32, step : i32) -> f32 { return a[place + step]; }

fn bPlace(z : i32, column : i32) -> i32 { return p.b + z * p.bBatch + column * p.bColumn; }
fn bStep(k : i32) -> i32 { return k * p.bK; }
fn bAt(place : i32, step : i32) -> f32 { return b[place + step]; }
`;

/**
 * A convolution: A is the weight, a column of B what the window of a place sees, a step of k a channel under a tap of the
 * kernel. Steps go over taps, then over channels.
 */
export const CONVOLUTION_OPERANDS = `
fn aPlace(z : i32, row : i32) -> i32 { return p.a + z * p.aBatch + row * p.aRow; }
fn aStep(k : i32) -> i32 {
  let tap = k / p.channels;
  return tap * p.aTap + (k - tap * p.channels) * p.aK;
}
fn aAt(place : i32, step : i32) -> f32 { return a[place + step]; }

/** Where the group's channels begin, and the image's row and column under the first tap. */
fn bPlace(z : i32, column : i32) -> vec3i {
  let line = column / p.placesInLine;
  let inLine = column - line * p.placesInLine;
  return vec3i(p.b + z * p.bBatch, line * p.strideRow - p.paddingTop, inLine * p.strideColumn - p.paddingLeft);
}
/** The channel, and how far the tap is from the first one. */
fn bStep(k : i32) -> vec3i {
  let tap = k / p.channels;
  let tapRow = tap / p.kernelColumns;
  let tapColumn = tap - tapRow * p.kernelColumns;
  return vec3i((k - tap * p.channels) * p.bK, tapRow * p.dilationRow, tapColumn * p.dilationColumn);
}
fn bAt(place : vec3i, step : vec3i) -> f32 {
  let at = place + step;
  // As unsigned numbers, negative ones are larger than any extent.
  let inside = all(vec2u(at.yz) < vec2u(vec2i(p.imageRows, p.imageColumns)));
  return select(0.0, b[select(0, at.x + at.y * p.imageRow + at.z * p.bColumn, inside)], inside);
}
`;

/** How sums begin and end: C through strides, in lines of columns; a bias is added last. */
export const RESULT = `
fn cAddress(z : i32, row : i32, column : i32) -> i32 {
  return p.c + z * p.cBatch + row * p.cRow + column * p.cColumn + column / p.cLine * p.cGap;
}
fn begin(z : i32, row : i32, column : i32) -> f32 {
  return c[cAddress(z, min(row, p.rows - 1), min(column, p.columns - 1))];
}
fn end(z : i32, row : i32, column : i32, sum : f32) {
  if ((row < p.rows) & (column < p.columns)) {
    let biased = p.biased != 0;
    let added = p.bias + z * p.biasBatch + row * p.biasRow + column * p.biasColumn;
    c[cAddress(z, row, column)] = select(sum, sum + bias[select(0, added, biased)], biased);
  }
}
`;

/** The buffers of a product. */
export const BUFFERS = `
@group(0) @binding(1) var<storage, read> a : array<f32>;
@group(0) @binding(2) var<storage, read> b : array<f32>;
@group(0) @binding(3) var<storage, read> bias : array<f32>;
@group(0) @binding(4) var<storage, read_write> c : array<f32>;
`;
