import { type AttrValue, isTextAttr, type OpNode } from '../ir/node.ts';
import { isUserOp, opDef } from '../ir/ops/index.ts';
import { attribute, type Frame } from './expression.ts';
import { formulaOf } from './formulas.ts';
import { literal, objectKey, property } from './text.ts';

/** The kernel of a node. User ops are looked up when the module runs: their kernels live in the user's files. */
export function kernelOf(node: OpNode, formulas: ReadonlyMap<string, string>): string {
  const formula = formulaOf(node);
  if (formula !== undefined) return formulas.get(formula) as string;
  return isUserOp(node.op) ? `k.user(${literal(node.op)})` : property('k', node.op);
}

/** Attributes whose values are not the op's defaults, as members of an object; the kernel of a formula has its own. */
export function attributesOf(node: OpNode, frames: readonly Frame[]): string[] {
  if (formulaOf(node) !== undefined) return [];
  const defaults = opDef(node.op).defaults ?? {};
  return Object.entries(node.attrs)
    .filter(([key, value]) => !sameAttr(value, defaults[key]))
    .map(([key, value]) => {
      const text = attribute(value, frames);
      return text === key ? key : `${objectKey(key)}: ${text}`;
    });
}

function sameAttr(a: AttrValue, b: AttrValue | undefined): boolean {
  if (isTextAttr(a)) return isTextAttr(b) && a.text === b.text;
  return typeof a === 'object' && typeof b === 'object' && !isTextAttr(b)
    ? a.length === b.length && a.every((dim, i) => Object.is(dim, b[i]))
    : Object.is(a, b);
}
