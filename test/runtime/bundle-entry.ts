import { type BackendName, k, openDevice, type Tensor } from '../../src/runtime/index.ts';
import { cases } from '../ops/cases.ts';
import { drawCase, writtenAttrs } from '../ops/support.ts';

type Call = (...args: readonly unknown[]) => Tensor;

/** Runs the first cases of every kernel on a device: a program for a minified bundle. */
export async function main(backend: BackendName): Promise<[op: string, values: number[]][]> {
  const device = await openDevice({ backend });
  const kernels = k as unknown as Readonly<Record<string, Call>>;
  const results: [string, number[]][] = [];
  for (const test of cases) {
    const kernel = kernels[test.op];
    if (!kernel || results.filter(([op]) => op === test.op).length === 2) continue;
    const { def, attrs, types, operands, out, shape } = drawCase(test);
    const into = device.alloc(shape, out.dtype);
    const scratch = (def.scratch?.(types, attrs, out) ?? []).map((extents) =>
      device.alloc(extents as number[]),
    );
    const tensors = operands.map(({ shape: extents, data }, i) =>
      device.upload(data, extents, types[i]?.dtype ?? 'f32'),
    );
    kernel(...tensors, { ...writtenAttrs(attrs), into, scratch });
    results.push([test.op, [...(await device.read(into))]]);
    for (const tensor of [...tensors, ...scratch, into]) tensor.free();
  }
  await device.destroy();
  return results;
}
