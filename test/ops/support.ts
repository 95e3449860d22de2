import { evalShape } from '../../src/ir/dims.ts';
import { type Attrs, isTextAttr, type TensorType } from '../../src/ir/node.ts';
import { opDef } from '../../src/ir/ops/index.ts';
import type { OpDef, RefTensor } from '../../src/ir/ops/op.ts';
import type { AccessPattern } from '../../src/ir/pattern.ts';
import { contiguous, sliceLayout } from '../../src/layout/layout.ts';
import { randomSource } from '../../src/testing/random.ts';
import { axisOf, forEachIndex } from './access.ts';
import { draw, type OpCase } from './cases.ts';

/** A case with its numbers. */
export interface Drawn {
  readonly def: OpDef;
  readonly attrs: Attrs;
  readonly types: readonly TensorType[];
  readonly operands: readonly RefTensor[];
  readonly out: TensorType;
  readonly shape: readonly number[];
  readonly access: AccessPattern | undefined;
}

export function drawCase(test: OpCase, seed = 1): Drawn {
  const def = opDef(test.op);
  const next = randomSource(seed);
  const operands = test.operands.map((spec) => ({
    shape: spec.shape,
    data: draw(
      spec,
      spec.shape.reduce((a, b) => a * b, 1),
      next,
    ),
  }));
  const out = def.infer(test.operands, test.attrs);
  return {
    def,
    attrs: test.attrs,
    types: test.operands,
    operands,
    out,
    shape: evalShape(out.shape, {}),
    access: def.access?.(test.operands, test.attrs, out),
  };
}

/** A rectangular part of a tensor. */
export interface Part {
  readonly axis: number;
  readonly start: number;
  readonly length: number;
}

/** The same op for `length` units of a label from `start` on: parts of the operands, attributes, part of the output. */
export function cut(
  drawn: Drawn,
  access: AccessPattern,
  label: string,
  start: number,
  length: number,
): { operands: (Part | undefined)[]; attrs: Attrs; output: Part; shape: readonly number[] } {
  const part = (axes: AccessPattern['output']): Part | undefined => {
    const at = axisOf(axes, label, access.extents);
    return at && { axis: at.axis, start: start * at.multiple, length: length * at.multiple };
  };
  const output = part(access.output) as Part;
  const shape = drawn.shape.with(output.axis, output.length);
  const attribute = access.starts[label];
  const shifted = attribute
    ? { ...drawn.attrs, [attribute]: ((drawn.attrs[attribute] as number | undefined) ?? 0) + output.start }
    : drawn.attrs;
  return {
    operands: access.operands.map(part),
    attrs: drawn.def.resize?.(shifted, shape) ?? shifted,
    output,
    shape,
  };
}

/** The elements of a part, row-major. */
export function take(tensor: RefTensor, part: Part | undefined): RefTensor {
  if (!part) return tensor;
  const layout = sliceLayout(contiguous(tensor.shape), part.axis, part.start, part.start + part.length);
  const data = new Float64Array(layout.shape.reduce((a, b) => a * b, 1));
  forEachIndex(layout.shape, (index, flat) => {
    const offset = index.reduce((sum, i, axis) => sum + i * (layout.strides[axis] as number), layout.offset);
    data[flat] = tensor.data[offset] as number;
  });
  return { shape: layout.shape, data };
}

/** Attributes as generated code writes them. */
export const writtenAttrs = (attrs: Attrs): object =>
  Object.fromEntries(
    Object.entries(attrs).map(([name, value]) => [name, isTextAttr(value) ? value.text : value]),
  );
