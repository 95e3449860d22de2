import { describe, expect, it } from 'vitest';
import { compileGraph, loadModule } from '../../src/compile.ts';
import type { Graph, GraphInput, OpNode } from '../../src/ir/node.ts';
import { opDef } from '../../src/ir/ops/index.ts';
import * as runtime from '../../src/runtime/index.ts';
import { cases, describeCase } from './cases.ts';
import { drawCase } from './support.ts';
import { difference } from './tolerance.ts';

/** One graph with a node for every case, each with inputs of its own. */
function graphOfCases(): Graph {
  const inputs: GraphInput[] = [];
  const nodes = cases.map(({ op, operands, attrs }, i): OpNode => {
    const names = operands.map(({ shape, dtype }, j) => {
      const id = `x${i}_${j}`;
      inputs.push({ id, shape, dtype });
      return id;
    });
    return {
      kind: 'op',
      id: `y${i}`,
      op,
      operands: names,
      attrs,
      scope: '',
      ...opDef(op).infer(operands, attrs),
    };
  });
  const outputs = nodes.map(({ id }) => ({ name: id, value: id }));
  return { name: 'every op', dims: [], inputs, params: [], nodes, outputs };
}

describe('a generated module', () => {
  it('calls every op with every attribute as its kernel expects', async () => {
    const { plan, source } = await compileGraph(graphOfCases(), { budget: '100%', backend: 'cpu' });
    const module = await loadModule(source, runtime);
    const device = await runtime.openDevice({ backend: 'cpu' });
    const drawn = cases.map((test) => drawCase(test));
    const inputs = Object.fromEntries(
      drawn.flatMap(({ operands, types }, i) =>
        operands.map(({ shape, data }, j) => [
          `x${i}_${j}`,
          device.upload(data, shape, types[j]?.dtype ?? 'f32'),
        ]),
      ),
    );
    device.memory.resetPeak();
    const outputs = await module.run(device, inputs, {});
    expect(device.memory.peakBytes).toBe(plan.planned.peakBytes);
    for (const [i, one] of drawn.entries()) {
      const got = await device.read(outputs[`y${i}`] as runtime.Tensor);
      const wrong = difference(got, one.def.reference(one.operands, one.attrs, one.shape), one);
      expect(wrong && `${describeCase(cases[i] as (typeof cases)[number])}: ${wrong}`).toBeUndefined();
    }
    await device.destroy();
  });
});
