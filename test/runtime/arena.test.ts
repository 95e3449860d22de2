import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from '../../src/runtime/webasm/arena.ts';

describe('Arena', () => {
  it('takes the tightest hole and merges neighbours', () => {
    const arena = new Arena(1024, 1e6, () => {});
    const [a, b, c, d] = [640, 128, 256, 64].map((bytes) => arena.allocate(bytes)) as [
      number,
      number,
      number,
      number,
    ];
    arena.release(a);
    arena.release(c);
    expect(arena.allocate(200)).toBe(c);
    arena.release(c);
    arena.release(b);
    expect(arena.allocate(640 + 128 + 256)).toBe(a);
    arena.release(d);
    expect(arena.highWater).toBe(640 + 128 + 256 + 64);
  });

  it('grows over the hole at its end', () => {
    const ends: number[] = [];
    const arena = new Arena(0, 1e6, (end) => ends.push(end));
    arena.allocate(64);
    arena.release(arena.allocate(128));
    expect(arena.allocate(192)).toBe(64);
    expect(ends).toEqual([64, 192, 256]);
    expect(arena.highWater).toBe(256);
  });

  it('refuses what does not fit and stays usable', () => {
    const arena = new Arena(0, 1024, () => {});
    arena.allocate(512);
    expect(() => arena.allocate(513)).toThrow(/at most 1024 bytes and 512 are taken/);
    expect(arena.allocate(512)).toBe(512);
  });

  it('survives a memory that cannot grow', () => {
    let full = true;
    const arena = new Arena(0, 1024, () => {
      if (full) throw new Error('full');
    });
    expect(() => arena.allocate(64)).toThrow('full');
    full = false;
    expect(arena.allocate(64)).toBe(0);
  });

  it('never hands out overlapping blocks and loses none', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(2000), fc.nat()), { maxLength: 200 }), (steps) => {
        const arena = new Arena(64, 2 ** 30, () => {});
        const live: { at: number; bytes: number }[] = [];
        for (const [releases, bytes, pick] of steps) {
          if (releases && live.length > 0) {
            const [block] = live.splice(pick % live.length, 1) as [{ at: number; bytes: number }];
            arena.release(block.at);
          } else {
            const at = arena.allocate(bytes);
            expect(live.every((other) => at + bytes <= other.at || other.at + other.bytes <= at)).toBe(true);
            live.push({ at, bytes });
          }
        }
        for (const { at } of live) arena.release(at);
        if (arena.highWater > 0) expect(arena.allocate(arena.highWater)).toBe(64);
      }),
    );
  });
});
