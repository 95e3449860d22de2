import { type BackendName, k, openDevice } from '../../src/runtime/index.ts';

/** A small program for a minified bundle: kernels with loops, branches, several arrays and scalars. */
export async function main(backend: BackendName): Promise<number[][]> {
  const device = await openDevice({ backend });
  const x = device.upload([1, -2, 3, 4, 5, -6], [2, 3]);
  const results = [
    k.softmax(x, { axis: 1, into: device.alloc([2, 3]), scratch: [device.alloc([2]), device.alloc([2])] }),
    k.matmul(x, x.permute([1, 0]), { into: device.alloc([2, 2]) }),
    k.powScalar(x, { value: 3, into: device.alloc([2, 3]) }),
    k.greaterEqualScalar(x, { value: 3, into: device.alloc([2, 3], 'i32') }),
    k.gelu(x, { tanh: true, into: device.alloc([2, 3]) }),
    k.causalMask(x, { rowStart: 0, columnStart: 0, into: device.alloc([2, 3]) }),
  ];
  const values: number[][] = [];
  for (const result of results) values.push([...(await device.read(result))]);
  await device.destroy();
  return values;
}
