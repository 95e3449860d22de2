import { type Dim, printShape, type Shape } from '../dims.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { broadcastStrides, count, forEachOffset, SUM, take, textAttr } from './support.ts';

/** The labels of `sia,sjb->ijab`, an axis each. */
export interface Equation {
  readonly operands: readonly (readonly string[])[];
  readonly output: readonly string[];
  /** Labels that are summed over, in order of first appearance. */
  readonly contracted: readonly string[];
}

/** Kernels nest a loop for every contracted label and read arrays through three subscripts. */
const MOST_CONTRACTED = 3;

export function parseEquation(op: string, text: string): Equation {
  check(
    /^[A-Za-z]*,[A-Za-z]*->[A-Za-z]*$/.test(text),
    op,
    () => `expected an equation of two operands such as 'sia,sjb->ijab', got '${text}'`,
  );
  const [left, right] = text.split('->') as [string, string];
  const operands = left.split(',').map((side) => [...side]);
  const output = [...right];
  const known = new Set(operands.flat());
  for (const labels of [...operands, output]) {
    const repeated = labels.find((label, i) => labels.indexOf(label) !== i);
    check(repeated === undefined, op, () => `${repeated} appears twice in one term of '${text}'`);
  }
  const unknown = output.find((label) => !known.has(label));
  check(unknown === undefined, op, () => `${unknown} appears only in the result of '${text}'`);
  const contracted = [...known].filter((label) => !output.includes(label));
  check(
    contracted.length <= MOST_CONTRACTED,
    op,
    () =>
      `'${text}' sums over ${contracted.length} labels (${contracted.join(', ')}), at most ${MOST_CONTRACTED} are possible; sum one operand first`,
  );
  return { operands, output, contracted };
}

function extentsOf(text: string, equation: Equation, shapes: readonly Shape[]): Map<string, Dim> {
  const extents = new Map<string, Dim>();
  equation.operands.forEach((labels, i) => {
    const shape = shapes[i] as Shape;
    check(
      labels.length === shape.length,
      'einsum',
      () => `'${text}' names ${labels.length} axes of operand ${i + 1}, which is ${printShape(shape)}`,
    );
    labels.forEach((label, axis) => {
      const extent = shape[axis] as Dim;
      const known = extents.get(label) ?? extent;
      check(
        known === extent,
        'einsum',
        () =>
          `${label} is ${known} in ${printShape(shapes[0] as Shape)} and ${extent} in ${printShape(shape)}`,
      );
      extents.set(label, extent);
    });
  });
  return extents;
}

const einsum: OpDef = {
  name: 'einsum',
  summary: 'products of elements of two tensors, summed over the labels that the result lacks',
  infer(operands, attrs) {
    const shapes = take('einsum', operands, 2).map((operand) => operand.shape);
    const text = textAttr(attrs, 'equation');
    const equation = parseEquation('einsum', text);
    const extents = extentsOf(text, equation, shapes);
    return { shape: equation.output.map((label) => extents.get(label) as Dim), dtype: 'f32' };
  },
  access(operands, attrs, out) {
    const { operands: sides, output } = parseEquation('einsum', textAttr(attrs, 'equation'));
    const text = `${sides.map((side) => side.join(' ')).join(', ')} -> ${output.join(' ')}`;
    return pattern(
      text,
      operands.map((operand) => operand.shape),
      out.shape,
    );
  },
  split: () => SUM,
  flops(operands, attrs, out) {
    const text = textAttr(attrs, 'equation');
    const equation = parseEquation('einsum', text);
    const extents = extentsOf(
      text,
      equation,
      operands.map((operand) => operand.shape),
    );
    return 2 * count(out.shape) * count(equation.contracted.map((label) => extents.get(label) as Dim));
  },
  reference(operands, attrs, shape) {
    const text = textAttr(attrs, 'equation');
    const equation = parseEquation('einsum', text);
    const extents = extentsOf(
      text,
      equation,
      operands.map((operand) => operand.shape),
    );
    const labels = [...equation.output, ...equation.contracted];
    const all = labels.map((label) => extents.get(label) as number);
    const strides = operands.map((operand, i) => {
      const own = broadcastStrides(operand.shape, operand.shape);
      return labels.map((label) => own[equation.operands[i]?.indexOf(label) ?? -1] ?? 0);
    });
    const out = new Float64Array(count(shape));
    const terms = count(all.slice(equation.output.length));
    forEachOffset(all, strides, (flat, [a, b]) => {
      const at = Math.floor(flat / terms);
      out[at] =
        (out[at] as number) +
        (operands[0]?.data[a as number] as number) * (operands[1]?.data[b as number] as number);
    });
    return out;
  },
};

export const einsumOps: readonly OpDef[] = [einsum];
