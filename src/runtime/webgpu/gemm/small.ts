import { BUFFERS, PRODUCT_OPERANDS, RESULT } from './operands.ts';
import { DECLARATION } from './parameters.ts';

/** Products of a batch that a workgroup works on. */
export const SMALL_PRODUCTS = 64;

/** Matrices too small for tiles, many of them: every thread makes one element of one, neighbours those of the next. */
export const smallShader = (): string => `${DECLARATION}
${BUFFERS}${PRODUCT_OPERANDS}${RESULT}
@compute @workgroup_size(${SMALL_PRODUCTS})
fn main(@builtin(workgroup_id) group : vec3u, @builtin(local_invocation_index) index : u32) {
  let z = (p.firstX + i32(group.x)) * ${SMALL_PRODUCTS} + i32(index);
  let column = p.firstY + i32(group.y);
  let row = p.firstZ + i32(group.z);
  if (z >= p.batch) { return; }
  let left = aPlace(z, row);
  let right = bPlace(z, column);
  var sum = 0.0;
  if (p.accumulate != 0) { sum = begin(z, row, column); }
  for (var k = 0; k < p.k; k++) {
    sum = fma(aAt(left, aStep(k)), bAt(right, bStep(k)), sum);
  }
  end(z, row, column, sum);
}
`;
