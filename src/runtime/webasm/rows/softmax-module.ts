import { inlineExp } from '../../gpujs/webasm-math.ts';
import { LOWEST_F32 } from '../../lowest.ts';
import type { Code, Local, Value } from '../assembler/code.ts';
import { count, f32x4, i32, i32x4, set, v128, when } from '../assembler/instructions.ts';
import { type MemoryImport, type NewLocal, WasmModule } from '../assembler/module.ts';
import {
  denseRow,
  FLOAT_BYTES,
  LANES,
  type Place,
  type RowAccess,
  steppedRow,
  VECTOR_BYTES,
} from './row-access.ts';

/**
 * Words of the parameter block: rows lie in planes of so many; addresses and strides in bytes, steps along a row in elements. Row i
 * of a plane sees `seen + i · seenStep` elements, as far as there are so many.
 */
const PARAMETERS = [
  'length',
  'rows',
  'seen',
  'seenStep',
  'x',
  'xPlane',
  'xRow',
  'xStep',
  'out',
  'outPlane',
  'outRow',
  'outStep',
] as const;

export type SoftmaxParameters = { readonly [name in (typeof PARAMETERS)[number]]: number };

export function writeSoftmaxParameters(
  words: Int32Array<ArrayBufferLike>,
  parameters: SoftmaxParameters,
): void {
  PARAMETERS.forEach((name, i) => {
    words[i] = parameters[name];
  });
}

/** Vectors of a step of the maximum, which hides the time that one takes. */
const UNROLLED = 4;

export interface SoftmaxModuleOptions extends MemoryImport {
  readonly block: number;
  /** Whether the elements of a row lie next to each other; if not, a step apart. */
  readonly dense: boolean;
}

/**
 * The module of softmax over rows. It exports `run(begin, end, workspace)`, which computes some of the rows; the result may lie
 * where the operand lies.
 *
 * A row takes three passes: its maximum; the exponentials, which are written and added up; their division by the sum. Element
 * i is added in lane i mod 4, however far the elements are apart, so zeros at the end of a row leave the sum as it is without
 * them. Elements that a row does not see are not read, and cost no more than the zeros that are written for them.
 */
export function softmaxModule({ block, dense, ...memory }: SoftmaxModuleOptions) {
  const of = (name: (typeof PARAMETERS)[number]): Value<'i32'> =>
    i32.load(0, block + PARAMETERS.indexOf(name) * 4);
  const module = new WasmModule();
  const row = defineRow(module, dense ? denseRow : steppedRow);
  module.define(
    ['i32', 'i32', 'i32'],
    (local, begin, end) => {
      const at = local('i32');
      const [plane, inPlane] = [i32.div(at, of('rows')), i32.rem(at, of('rows'))];
      const place = (name: 'x' | 'out'): [Value<'i32'>, Value<'i32'>] => [
        i32.add(of(name), i32.mul(plane, of(`${name}Plane`)), i32.mul(inPlane, of(`${name}Row`))),
        of(`${name}Step`),
      ];
      const seen = i32.add(of('seen'), i32.mul(inPlane, of('seenStep')));
      const [x, out] = [place('x'), place('out')];
      return [
        count(
          at,
          begin,
          end,
          1,
          row.call(...x, ...out, i32.max(0, i32.min(seen, of('length'))), of('length')),
        ),
      ];
    },
    'run',
  );
  return module.bytes(memory);
}

/** `(x, xStep, out, outStep, length, all)`: softmax of one row that sees `length` of all of its elements. */
function defineRow(module: WasmModule, rowAt: (row: Place) => RowAccess) {
  const parameters = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  return module.define(parameters, (local, xAt, xStep, outAt, outStep, length, all) => {
    const [whole, at, rest] = [local('i32'), local('i32'), local('i32')];
    const [inRow, largest, total] = [local('v128'), local('v128'), local('v128')];
    const [lanes, unseen] = [local('v128'), local('v128')];
    const partial = Array.from({ length: UNROLLED }, () => local('v128'));
    const exp = exponential(local);
    const x = rowAt({ at: xAt, step: xStep, length });
    const out = rowAt({ at: outAt, step: outStep, length });
    const shifted = (from: Value<'v128'>): Value<'v128'> => f32x4.sub(from, largest);
    const storeTail = (what: Value<'v128'>): Code => [
      set(lanes, what),
      ...LANES.slice(0, -1).map((lane) => when(i32.lt(lane, rest), out.storeLane(whole, lanes, lane))),
    ];
    const greatest = (from: Local<'v128'>, to: Value<'v128'>): Code => set(from, f32x4.pmax(from, to));

    const maximum: Code = [
      ...partial.map((one) => set(one, f32x4.constant(Number.NEGATIVE_INFINITY))),
      set(largest, f32x4.constant(Number.NEGATIVE_INFINITY)),
      count(at, 0, i32.sub(whole, (UNROLLED - 1) * VECTOR_BYTES), UNROLLED * VECTOR_BYTES, [
        ...partial.map((one, i) => greatest(one, x.load(at, i))),
      ]),
      count(
        at,
        i32.mul(i32.div(whole, UNROLLED * VECTOR_BYTES), UNROLLED * VECTOR_BYTES),
        whole,
        VECTOR_BYTES,
        [greatest(largest, x.load(at))],
      ),
      when(rest, greatest(largest, v128.select(x.loadTail(whole), largest, inRow))),
      ...partial.map((one) => greatest(largest, one)),
      greatest(largest, v128.shuffle(largest, largest, [2, 3, 0, 1])),
      greatest(largest, v128.shuffle(largest, largest, [1, 0, 3, 2])),
    ];
    const exponentials: Code = [
      set(total, v128.zero),
      count(at, 0, whole, VECTOR_BYTES, [
        exp.of(shifted(x.load(at))),
        set(lanes, exp.result),
        out.store(at, lanes),
        set(total, f32x4.add(total, lanes)),
      ]),
      when(rest, [
        exp.of(shifted(x.loadTail(whole))),
        set(lanes, v128.and(exp.result, inRow)),
        set(total, f32x4.add(total, lanes)),
        storeTail(lanes),
      ]),
      set(total, f32x4.add(total, v128.shuffle(total, total, [2, 3, 0, 1]))),
      set(total, f32x4.add(total, v128.shuffle(total, total, [1, 0, 3, 2]))),
    ];
    const division: Code = [
      count(at, 0, whole, VECTOR_BYTES, [set(lanes, f32x4.div(out.load(at), total)), out.store(at, lanes)]),
      when(rest, storeTail(f32x4.div(out.loadTail(whole), total))),
    ];
    // An element that is not seen weighs 1 where none that is seen is larger than the lowest number, else 0. Sums of ones and
    // zeros have no rounding, so the order does not matter.
    const weighUnseen: Code = [
      set(unseen, v128.and(f32x4.eq(largest, f32x4.constant(LOWEST_F32)), f32x4.constant(1))),
      set(total, f32x4.add(total, f32x4.mul(unseen, f32x4.convert(i32x4.splat(i32.sub(all, length)))))),
    ];
    const end = i32.mul(all, FLOAT_BYTES);
    const storeUnseen: Code = [
      set(unseen, f32x4.div(unseen, total)),
      count(
        at,
        i32.mul(length, FLOAT_BYTES),
        i32.sub(end, VECTOR_BYTES - FLOAT_BYTES),
        VECTOR_BYTES,
        out.store(at, unseen),
      ),
      count(whole, at, end, FLOAT_BYTES, out.storeLane(whole, unseen, 0)),
    ];
    const masked = (code: Code): Code => when(i32.lt(length, all), code);
    return [
      set(rest, i32.rem(length, LANES.length)),
      set(whole, i32.mul(i32.sub(length, rest), FLOAT_BYTES)),
      set(inRow, i32x4.lt(i32x4.constant(...LANES), i32x4.splat(rest))),
      maximum,
      masked(greatest(largest, f32x4.constant(LOWEST_F32))),
      exponentials,
      masked(weighUnseen),
      division,
      masked(storeUnseen),
    ];
  });
}

/** The exponentials of four lanes that are not above 0, inline: `of` is the statement that takes them, `result` what they are then. */
function exponential(local: NewLocal): {
  readonly of: (x: Value<'v128'>) => Code;
  readonly result: Value<'v128'>;
} {
  const x = local('v128');
  const { code, locals } = inlineExp(x.index, x.index + 1);
  for (let i = 0; i < locals; i++) local('v128');
  return { of: (value) => set(x, value), result: { type: 'v128', code } };
}
