import { DECLARATION } from './parameters.ts';

const THREADS = 256;
/** Rows and columns that a thread makes. */
const EACH = 4;
const parts = Array.from({ length: EACH }, (_, i) => i);
const pairs = parts.flatMap((i) => parts.map((j) => [i, j] as const));

/** A workgroup's part of C. */
export interface LanewiseTile {
  readonly lanes: number;
  readonly rows: number;
  readonly columns: number;
}

/** Neighbouring threads have neighbouring lanes: as many as there are, up to 32. */
export function lanewiseTile(lanes: number): LanewiseTile {
  const used = Math.min(32, Math.max(8, 2 ** Math.ceil(Math.log2(lanes))));
  const down = THREADS / used >= 16 ? 4 : 2;
  return { lanes: used, rows: down * EACH, columns: (THREADS / used / down) * EACH };
}

/**
 * A product in every lane: a thread has one lane and makes 4 × 4 elements of it in registers. Lanes lie next to each other in
 * all three tensors, so every read is of neighbours, and needs no workgroup memory. Sums go in order of k, one fused
 * multiply-add after another.
 */
export const lanewiseShader = ({ lanes, rows, columns }: LanewiseTile): string => `${DECLARATION}
@group(0) @binding(1) var<storage, read> a : array<f32>;
@group(0) @binding(2) var<storage, read> b : array<f32>;
@group(0) @binding(3) var<storage, read_write> c : array<f32>;

fn aPlace(row : i32) -> i32 { return p.a + min(row, p.rows - 1) * p.aRow; }
fn bPlace(column : i32) -> i32 { return p.b + min(column, p.columns - 1) * p.bColumn; }
fn end(row : i32, column : i32, lane : i32, sum : f32) {
  if ((row < p.rows) & (column < p.columns)) { c[p.c + row * p.cRow + column * p.cColumn + lane] = sum; }
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group : vec3u, @builtin(local_invocation_index) index : u32) {
  let thread = i32(index);
  let lane = (p.firstX + i32(group.x)) * ${lanes} + thread % ${lanes};
  if (lane >= p.lanes) { return; }
  let block = thread / ${lanes};
  let row = (p.firstZ + i32(group.z)) * ${rows} + block / ${columns / EACH} * ${EACH};
  let column = (p.firstY + i32(group.y)) * ${columns} + block % ${columns / EACH} * ${EACH};
${parts.map((i) => `  let aPlace${i} = aPlace(row + ${i}) + lane;\n  let bPlace${i} = bPlace(column + ${i}) + lane;`).join('\n')}
${pairs.map(([i, j]) => `  var sum${i}${j} = 0.0;`).join('\n')}
  for (var k = 0; k < p.k; k++) {
${parts.map((i) => `    let left${i} = a[aPlace${i} + k * p.aK];\n    let right${i} = b[bPlace${i} + k * p.bK];`).join('\n')}
${pairs.map(([i, j]) => `    sum${i}${j} = fma(left${i}, right${j}, sum${i}${j});`).join('\n')}
  }
${pairs.map(([i, j]) => `  end(row + ${i}, column + ${j}, lane, sum${i}${j});`).join('\n')}
}
`;
