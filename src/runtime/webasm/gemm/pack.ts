import type { Code, Local } from '../assembler/code.ts';
import { count, f32, i32, increase, set, v128, when } from '../assembler/instructions.ts';
import type { NewLocal, WasmFunction, WasmModule } from '../assembler/module.ts';

/** `(to, panelBytes, from, lanes, k, laneStride, kStride)` */
export type Pack = WasmFunction<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']>;

const FLOAT = 4;
const LANES = 4;
const VECTOR = 16;

/**
 * Copies a matrix of `lanes` × `k` elements, strides in bytes, into panels of `width` lanes that lie `panelBytes` apart;
 * a panel holds the lanes of one k after another. Lanes that fill up the last panel are zero. Elements are read where
 * they lie next to each other, four at a time: along the lanes, or along k, turned four by four.
 */
export function definePack(module: WasmModule, width: number): Pack {
  return module.define(
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (local, to, panelBytes, from, lanes, k, laneStride, kStride) => {
      const first = local('i32');
      const panel = { to: local('i32'), from: local('i32'), lanes: local('i32'), k, laneStride, kStride };
      return count(first, 0, lanes, width, [
        set(panel.lanes, i32.min(width, i32.sub(lanes, first))),
        set(panel.to, to),
        set(panel.from, from),
        when(
          i32.lt(panel.lanes, width),
          ragged(local, panel, width),
          when(
            i32.eq(laneStride, FLOAT),
            alongLanes(local, panel, width),
            when(i32.eq(kStride, FLOAT), alongK(local, panel, width), scattered(local, panel, width)),
          ),
        ),
        increase(to, panelBytes),
        increase(from, i32.mul(laneStride, width)),
      ]);
    },
  );
}

interface Panel {
  readonly to: Local<'i32'>;
  readonly from: Local<'i32'>;
  readonly lanes: Local<'i32'>;
  readonly k: Local<'i32'>;
  readonly laneStride: Local<'i32'>;
  readonly kStride: Local<'i32'>;
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** Fewer lanes than a panel has. */
function ragged(local: NewLocal, { to, from, lanes, k, laneStride, kStride }: Panel, width: number): Code {
  const [step, lane, source] = [local('i32'), local('i32'), local('i32')];
  return count(step, 0, k, 1, [
    set(source, from),
    range(width / LANES).map((v) => v128.store(to, v128.zero, v * VECTOR)),
    count(lane, 0, lanes, 1, [
      f32.store(i32.add(to, i32.mul(lane, FLOAT)), f32.load(source)),
      increase(source, laneStride),
    ]),
    increase(to, width * FLOAT),
    increase(from, kStride),
  ]);
}

/** Lanes lie next to each other. */
function alongLanes(local: NewLocal, { to, from, k, kStride }: Panel, width: number): Code {
  return count(local('i32'), 0, k, 1, [
    range(width / LANES).map((v) => v128.store(to, v128.load(from, v * VECTOR), v * VECTOR)),
    increase(to, width * FLOAT),
    increase(from, kStride),
  ]);
}

/** Elements of successive k lie next to each other: squares of four lanes by four k are turned. */
function alongK(local: NewLocal, panel: Panel, width: number): Code {
  const { to, from, k, laneStride } = panel;
  const [source, rest] = [local('i32'), local('i32')];
  const [a, b, c, d] = [local('v128'), local('v128'), local('v128'), local('v128')];
  const [low, high] = [local('v128'), local('v128')];
  /** Steps k and k + 1 of a square. */
  const half = (v: number, k: 0 | 2): Code => [
    set(low, v128.shuffle(a, b, [k, k + 4, k + 1, k + 5])),
    set(high, v128.shuffle(c, d, [k, k + 4, k + 1, k + 5])),
    v128.store(to, v128.shuffle(low, high, [0, 1, 4, 5]), k * width * FLOAT + v * VECTOR),
    v128.store(to, v128.shuffle(low, high, [2, 3, 6, 7]), (k + 1) * width * FLOAT + v * VECTOR),
  ];
  const square = (v: number): Code => [
    [a, b, c, d].map((lane) => [set(lane, v128.load(source)), increase(source, laneStride)]),
    half(v, 0),
    half(v, 2),
  ];
  return [
    set(rest, i32.and(k, LANES - 1)),
    count(local('i32'), 0, i32.sub(k, rest), LANES, [
      set(source, from),
      range(width / LANES).map(square),
      increase(to, width * VECTOR),
      increase(from, VECTOR),
    ]),
    scattered(local, { ...panel, k: rest }, width),
  ];
}

/** One element at a time. */
function scattered(local: NewLocal, { to, from, k, laneStride, kStride }: Panel, width: number): Code {
  const source = local('i32');
  return count(local('i32'), 0, k, 1, [
    set(source, from),
    range(width).map((lane) => [
      f32.store(to, f32.load(source), lane * FLOAT),
      lane + 1 < width ? increase(source, laneStride) : [],
    ]),
    increase(to, width * FLOAT),
    increase(from, kStride),
  ]);
}
