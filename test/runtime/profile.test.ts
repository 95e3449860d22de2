import { describe, expect, it } from 'vitest';
import { generateModule } from '../../src/codegen/generate.ts';
import { loadModule } from '../../src/codegen/load.ts';
import * as runtime from '../../src/runtime/index.ts';
import { attention } from '../codegen/support.ts';
import { testBackends } from '../support/backends.ts';

const plan = attention();
const { info, run } = loadModule<runtime.Device, runtime.Tensor>(generateModule(plan), runtime);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(i));

async function profiled(device: runtime.Device) {
  const weights = new Map(
    Object.values(info.params).map(({ key, shape }) => [key, { shape, data: numbers(16 * 16) }]),
  );
  const params = runtime.loadParameters(device, info.params, weights);
  const x = device.upload(numbers(40 * 16), [40, 16]);
  const { tuned, gpujs } = device.calls;
  const profile = device.profile();
  const { peakBytes } = await runtime.measure(device, () => run(device, { x }, params));
  const trace = await profile.stop();
  return { profile, trace, peakBytes, calls: device.calls.tuned - tuned + device.calls.gpujs - gpujs };
}

describe.each(testBackends)('a profile on %s', (backend) => {
  it('is a trace of kernels, sections and live bytes', async () => {
    const device = await runtime.openDevice({ backend });
    const { profile, trace, peakBytes, calls } = await profiled(device);
    expect(JSON.parse(JSON.stringify(trace))).toEqual(trace);
    expect(trace.displayTimeUnit).toBe('ms');
    const last = new Map<number, number>();
    for (const event of trace.traceEvents) {
      expect(Object.keys(event).sort()).toEqual(
        ['args', 'name', 'ph', 'pid', 'tid', 'ts', ...(event.ph === 'X' ? ['dur'] : [])].sort(),
      );
      for (const time of [event.ts, event.dur ?? 0]) expect(time).toBeGreaterThanOrEqual(0);
      if (event.ph !== 'X') continue;
      // Spans of a track follow one another.
      expect(event.ts).toBeGreaterThanOrEqual((last.get(event.tid) ?? 0) - 1);
      last.set(event.tid, event.ts + (event.dur ?? 0));
    }
    const names = trace.traceEvents.flatMap(({ ph, args }) => (ph === 'M' ? [args.name] : []));
    expect(names[0]).toBe(`autochunk on ${device.backend} (${device.adapter})`);
    const track = (tid: number) => trace.traceEvents.filter((event) => event.ph === 'X' && event.tid === tid);
    expect(track(1).map(({ name }) => name)).toContain('h.attn');
    if (names.some((name) => String(name).includes('recording'))) expect(track(2).length).toBeGreaterThan(0);
    else expect(track(2)).toHaveLength(calls);
    const live = trace.traceEvents.flatMap(({ ph, args }) => (ph === 'C' ? [Number(args.activations)] : []));
    expect(Math.max(...live)).toBe(peakBytes);
    expect(peakBytes).toBe(plan.planned.peakBytes);
    await expect(profile.stop()).rejects.toThrow(/stopped before/);
    await device.destroy();
  });

  it('records one at a time, and can be asked for again', async () => {
    const device = await runtime.openDevice({ backend });
    const profile = device.profile();
    expect(() => device.profile()).toThrow(/is being profiled/);
    await profile.stop();
    const empty = await device.profile().stop();
    expect(empty.traceEvents.filter(({ ph }) => ph === 'X')).toEqual([]);
    await device.destroy();
  });
});
