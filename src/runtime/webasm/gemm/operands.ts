import type { Code, Int, Local, Value } from '../assembler/code.ts';
import { count, f32, i32, increase, repeatWhile, set, v128, when } from '../assembler/instructions.ts';
import type { NewLocal, WasmFunction, WasmModule } from '../assembler/module.ts';
import { ROW_PANEL_STEP, TILE, TILE_ROW_BYTES } from './micro-kernel.ts';
import { definePack } from './pack.ts';
import type { Parameter } from './parameters.ts';

const FLOAT = 4;
const VECTOR = 16;

/** `(to, from, first, lanes, k, depth, spare)`: lanes `first …` of the steps `k … k + depth` of an operand at `from`. */
export type PackBlock = WasmFunction<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']>;

/** How the blocks of A and B get into their panels. */
export interface Operands {
  readonly packRows: PackBlock;
  readonly packColumns: PackBlock;
}

const BLOCK_PARAMETERS = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;

/** A and B are matrices with any strides. */
export function defineMatrices(module: WasmModule, of: Parameter): Operands {
  const matrix = (width: number, laneStride: Value<'i32'>, kStride: Value<'i32'>): PackBlock => {
    const pack = definePack(module, width);
    return module.define(BLOCK_PARAMETERS, (_, to, from, first, lanes, k, depth) =>
      pack.call(
        to,
        i32.mul(depth, width * FLOAT),
        i32.add(from, i32.mul(first, laneStride), i32.mul(k, kStride)),
        lanes,
        depth,
        laneStride,
        kStride,
      ),
    );
  };
  return {
    packRows: matrix(TILE.rows, of('aRow'), of('aK')),
    packColumns: matrix(TILE.columns, of('bColumn'), of('bK')),
  };
}

/**
 * A is the weight of a convolution, B what its windows see: row k is one channel under one tap, tap by tap; column by
 * column the places of the window, line by line. B exists in no other form than in panels. Taps outside the image see 0.
 */
export function defineWindows(module: WasmModule, of: Parameter): Operands {
  const packWeight = definePack(module, TILE.rows);
  const packChannels = definePack(module, TILE.columns);
  const packPanel = definePanel(module, of, packChannels);
  return {
    packRows: module.define(BLOCK_PARAMETERS, (local, to, from, first, lanes, k, depth) =>
      forEachTap(local, of, k, depth, ({ tap, channel, channels, done }) =>
        packWeight.call(
          i32.add(to, i32.mul(done, ROW_PANEL_STEP)),
          i32.mul(depth, ROW_PANEL_STEP),
          i32.add(from, i32.mul(first, of('aRow')), i32.mul(tap, of('aTap')), i32.mul(channel, of('aK'))),
          lanes,
          channels,
          of('aRow'),
          of('aK'),
        ),
      ),
    ),
    packColumns: module.define(BLOCK_PARAMETERS, (local, to, from, first, lanes, k, depth, spare) => {
      const panel = local('i32');
      return forEachTap(local, of, k, depth, ({ tap, channel, channels, done }) =>
        count(panel, 0, lanes, TILE.columns, [
          packPanel.call(
            i32.add(to, i32.mul(i32.add(i32.mul(panel, depth), i32.mul(done, TILE.columns)), FLOAT)),
            i32.add(from, i32.mul(channel, of('bK'))),
            i32.add(first, panel),
            i32.min(TILE.columns, i32.sub(lanes, panel)),
            channels,
            i32.sub(i32.mul(i32.div(tap, of('kernelColumns')), of('dilationRow')), of('paddingTop')),
            i32.sub(i32.mul(i32.rem(tap, of('kernelColumns')), of('dilationColumn')), of('paddingLeft')),
            spare,
          ),
        ]),
      );
    }),
  };
}

/** Calls `visit` for the channels of every tap among the steps `k … k + depth`; `done` steps come before. */
function forEachTap(
  local: NewLocal,
  of: Parameter,
  k: Local<'i32'>,
  depth: Local<'i32'>,
  visit: (part: Readonly<Record<'tap' | 'channel' | 'channels' | 'done', Local<'i32'>>>) => Code,
): Code {
  const [tap, channel, channels, done] = [local('i32'), local('i32'), local('i32'), local('i32')];
  return [
    set(tap, i32.div(k, of('channels'))),
    set(channel, i32.rem(k, of('channels'))),
    set(done, 0),
    when(
      depth,
      repeatWhile(i32.lt(done, depth), [
        set(channels, i32.min(i32.sub(of('channels'), channel), i32.sub(depth, done))),
        visit({ tap, channel, channels, done }),
        increase(done, channels),
        increase(tap, 1),
        set(channel, 0),
      ]),
    ),
  ];
}

/** `(to, image, place, lanes, channels, rowOffset, columnOffset, spare)`: up to eight places under one tap. */
type Panel = WasmFunction<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']>;

function definePanel(module: WasmModule, of: Parameter, packChannels: ReturnType<typeof definePack>): Panel {
  return module.define(
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (local, to, image, place, lanes, channels, rowOffset, columnOffset, spare) => {
      const [row, column, lane, from] = [local('i32'), local('i32'), local('i32'), local('i32')];
      const inLine = i32.rem(place, of('placesInLine'));
      const rowOf = (at: Int): Value<'i32'> =>
        i32.add(i32.mul(i32.div(at, of('placesInLine')), of('strideRow')), rowOffset);
      const columnOf = (at: Int): Value<'i32'> =>
        i32.add(i32.mul(i32.rem(at, of('placesInLine')), of('strideColumn')), columnOffset);
      const within = (at: Local<'i32'>, extent: Value<'i32'>): Value<'i32'> =>
        i32.and(i32.ge(at, 0), i32.lt(at, extent));
      const addressOf = (): Value<'i32'> =>
        i32.add(image, i32.mul(row, of('imageRow')), i32.mul(column, of('bColumn')));
      const dense = i32.and(i32.eq(of('strideColumn'), 1), i32.eq(of('bColumn'), FLOAT));
      const last = i32.add(inLine, i32.sub(lanes, 1));
      const near = i32.and(
        i32.lt(-TILE.columns, column),
        i32.and(i32.lt(column, of('imageColumns')), within(row, of('imageRows'))),
      );
      const full = i32.and(
        i32.eq(lanes, TILE.columns),
        i32.and(i32.ge(column, 0), i32.le(i32.add(column, TILE.columns), of('imageColumns'))),
      );
      return when(
        i32.and(dense, i32.lt(last, of('placesInLine'))),
        [
          set(row, rowOf(place)),
          set(column, columnOf(place)),
          when(
            near,
            [
              set(from, addressOf()),
              when(
                full,
                packChannels.call(to, 0, from, TILE.columns, channels, FLOAT, of('bK')),
                masked(local, of, { to, from, column, lanes, channels, spare }),
              ),
            ],
            zeros(local, to, channels),
          ),
        ],
        [
          zeros(local, to, channels),
          count(lane, 0, lanes, 1, [
            set(row, rowOf(i32.add(place, lane))),
            set(column, columnOf(i32.add(place, lane))),
            when(i32.and(within(row, of('imageRows')), within(column, of('imageColumns'))), [
              set(from, addressOf()),
              oneLane(local, of, { to, from, lane, channels }),
            ]),
          ]),
        ],
      );
    },
  );
}

type Locals<Name extends string> = Readonly<Record<Name, Local<'i32'>>>;

function zeros(local: NewLocal, to: Local<'i32'>, channels: Local<'i32'>): Code {
  const at = local('i32');
  return [
    set(at, to),
    count(local('i32'), 0, channels, 1, [
      v128.store(at, v128.zero),
      v128.store(at, v128.zero, VECTOR),
      increase(at, TILE_ROW_BYTES),
    ]),
  ];
}

function oneLane(
  local: NewLocal,
  of: Parameter,
  { to, from, lane, channels }: Locals<'to' | 'from' | 'lane' | 'channels'>,
): Code {
  const at = local('i32');
  return [
    set(at, i32.add(to, i32.mul(lane, FLOAT))),
    count(local('i32'), 0, channels, 1, [
      f32.store(at, f32.load(from)),
      increase(at, TILE_ROW_BYTES),
      increase(from, of('bK')),
    ]),
  ];
}

/** Eight neighbours of which some are outside the image, or no places: they are read all the same, and made zero. */
function masked(
  local: NewLocal,
  of: Parameter,
  {
    to,
    from,
    column,
    lanes,
    channels,
    spare,
  }: Locals<'to' | 'from' | 'column' | 'lanes' | 'channels' | 'spare'>,
): Code {
  const [lane, at, inside] = [local('i32'), local('i32'), local('i32')];
  const [low, high] = [local('v128'), local('v128')];
  return [
    count(lane, 0, TILE.columns, 1, [
      set(at, i32.add(column, lane)),
      set(inside, i32.and(i32.lt(lane, lanes), i32.and(i32.ge(at, 0), i32.lt(at, of('imageColumns'))))),
      i32.store(i32.add(spare, i32.mul(lane, FLOAT)), i32.sub(0, inside)),
    ]),
    set(low, v128.load(spare)),
    set(high, v128.load(spare, VECTOR)),
    set(at, to),
    count(local('i32'), 0, channels, 1, [
      v128.store(at, v128.and(v128.load(from), low)),
      v128.store(at, v128.and(v128.load(from, VECTOR), high), VECTOR),
      increase(at, TILE_ROW_BYTES),
      increase(from, of('bK')),
    ]),
  ];
}
