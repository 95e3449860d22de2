/** What is done with a row. */
export type RowKind = 'softmax' | 'layerNorm' | 'rmsNorm';

const THREADS = 256;

/** The uniform block, in order; addresses and strides count elements. Row i of a plane sees `seen + i · seenStep` elements. */
export const ROW_WORDS = [
  'length',
  'rows',
  'seen',
  'seenStep',
  'firstX',
  'firstY',
  'x',
  'xPlane',
  'xRow',
  'xStep',
  'out',
  'outPlane',
  'outRow',
  'outStep',
  'weight',
  'weightStep',
  'bias',
  'biasStep',
  'epsilon',
] as const;
const FLOATS: readonly string[] = ['epsilon'];

/** Threads that share a row: one an element, up to a workgroup. */
export const threadsOfRow = (length: number): number =>
  Math.min(THREADS, 2 ** Math.ceil(Math.log2(Math.max(1, length))));

/** Rows of a workgroup. */
export const rowsOfGroup = (length: number): number => THREADS / threadsOfRow(length);

/** Bindings of what is read besides the row. */
export const parametersRead = (kind: RowKind): readonly number[] =>
  kind === 'softmax' ? [] : kind === 'rmsNorm' ? [2] : [2, 3];

const ELEMENT = 'at(source + i * p.xStep)';
const ELEMENT_SEEN = `select(LOWEST, ${ELEMENT}, i < seen)`;

/** `name = value` over the first `length` elements of a row, those that a thread has; `value` sees one of them as `element`. */
const overElements = (
  name: string,
  value: string,
  length = 'p.length',
  element = ELEMENT,
): string => `  for (var i = lane; i < ${length}; i += SHARE) {
    let element = ${element};
    ${name} = ${value};
  }
`;

/** Sum of what all threads of a row have in `name`. */
const total = (name: string): string => `  ${name} = combined(thread, ${name});\n`;

const BODY: Readonly<Record<RowKind, string>> = {
  // What a row does not see counts as the lowest number, and weighs nothing but where no seen element is larger.
  softmax: `
  let seen = clamp(p.seen + min(row, p.rows - 1) * p.seenStep, 0, p.length);
  var top = select(at(source), LOWEST, seen < p.length);
${overElements('top', 'max(top, element)', 'seen')}
  top = highest(thread, top);
  let weighing = select(seen, p.length, top <= LOWEST);
  var sum = 0.0;
${overElements('sum', 'sum + exp(element - top)', 'weighing', ELEMENT_SEEN)}${total('sum')}
  if (row >= p.rows) { return; }
  var i = lane;
  for (; i < weighing; i += SHARE) {
    out[place + i * p.outStep] = exp(${ELEMENT_SEEN} - top) / sum;
  }
  for (; i < p.length; i += SHARE) {
    out[place + i * p.outStep] = 0.0 / sum;
  }
`,
  // The mean is an offset from the first element: rounding grows with the spread of the row, not with its size.
  layerNorm: `
  let first = at(source);
  var sum = 0.0;
${overElements('sum', 'sum + (element - first)')}${total('sum')}
  let mean = first + sum / f32(p.length);
  var squares = 0.0;
${overElements('squares', 'fma(element - mean, element - mean, squares)')}${total('squares')}
  let scale = 1.0 / sqrt(squares / f32(p.length) + p.epsilon);
  if (row >= p.rows) { return; }
${overElements('out[place + i * p.outStep]', 'fma((element - mean) * scale, weight[p.weight + i * p.weightStep], bias[p.bias + i * p.biasStep])')}`,
  rmsNorm: `
  var squares = 0.0;
${overElements('squares', 'fma(element, element, squares)')}${total('squares')}
  let scale = 1.0 / sqrt(squares / f32(p.length) + p.epsilon);
  if (row >= p.rows) { return; }
${overElements('out[place + i * p.outStep]', 'element * scale * weight[p.weight + i * p.weightStep]')}`,
};

/** Combines what the threads of a row have, the far half into the near half until one is left; all get the result. */
const combine = (name: string, both: string): string => `
fn ${name}(thread : i32, own : f32) -> f32 {
  rowPart[thread] = own;
  for (var half = SHARE / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (thread % SHARE < half) {
      let near = rowPart[thread];
      let far = rowPart[thread + half];
      rowPart[thread] = ${both};
    }
  }
  workgroupBarrier();
  let result = rowPart[thread / SHARE * SHARE];
  workgroupBarrier();
  return result;
}`;

/**
 * As many threads share a row as it has elements, up to 256: thread t adds up
 * elements t, t + 256, …, then halves are added to halves. So the order of a sum depends on nothing but the places of its
 * elements in the row, and zeros at the end of a row, or a row without them, change no bit. `inPlace`: `out` is the very view
 * that is read, and has the only binding.
 */
export const rowShader = (kind: RowKind, share: number, inPlace: boolean): string => `
const SHARE = ${share};
const LOWEST = -0x1.fffffep+127f;
struct Parameters {
${ROW_WORDS.map((name) => `  ${name} : ${FLOATS.includes(name) ? 'f32' : 'i32'},`).join('\n')}
}
@group(0) @binding(0) var<uniform> p : Parameters;
${inPlace ? '' : '@group(0) @binding(1) var<storage, read> x : array<f32>;'}
${parametersRead(kind).includes(2) ? '@group(0) @binding(2) var<storage, read> weight : array<f32>;' : ''}
${parametersRead(kind).includes(3) ? '@group(0) @binding(3) var<storage, read> bias : array<f32>;' : ''}
@group(0) @binding(4) var<storage, read_write> out : array<f32>;

var<workgroup> rowPart : array<f32, ${THREADS}>;
fn at(element : i32) -> f32 { return ${inPlace ? 'out' : 'x'}[element]; }
${combine('combined', 'near + far')}
${kind === 'softmax' ? combine('highest', 'max(near, far)') : ''}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group : vec3u, @builtin(local_invocation_index) index : u32) {
  let thread = i32(index);
  let lane = thread % SHARE;
  let plane = p.firstY + i32(group.y);
  let row = (p.firstX + i32(group.x)) * ${THREADS / share} + thread / SHARE;
  // Rows beyond the last are computed as the last, and not written.
  let source = p.x + plane * p.xPlane + min(row, p.rows - 1) * p.xRow;
  let place = p.out + plane * p.outPlane + row * p.outRow;
${BODY[kind]}}
`;
