import type { Ast } from 'gpu.js/src/backend/function-node.js';
import type { Kernel } from '../kernel.ts';
import { childrenOf, partOf } from './ast.ts';
import { parsedKernel } from './parsed.ts';

const known = new WeakMap<Kernel, readonly boolean[]>();

/**
 * For every array of a kernel, whether a thread reads only the element with its own coordinates, `a[z][y][x]`, in it. Then
 * the result may be written over the array: nobody else reads the element, and the thread has read it.
 */
export function readsOwnElement(kernel: Kernel): readonly boolean[] {
  let reads = known.get(kernel);
  if (!reads) {
    const root = parsedKernel(kernel);
    const names = (root.params as Ast[]).slice(0, kernel.arrays).map((parameter) => parameter.name);
    reads = names.map((name) => !readsElsewhere(partOf(root, 'body'), name));
    known.set(kernel, reads);
  }
  return reads;
}

/** Whether anything but `name[this.thread.z][this.thread.y][this.thread.x]` mentions an argument. */
function readsElsewhere(node: Ast, name: unknown): boolean {
  if (node.type === 'Identifier') return node.name === name;
  if (node.type !== 'MemberExpression') return childrenOf(node).some((child) => readsElsewhere(child, name));
  if (isOwnElement(node)) return false;
  const parts = [partOf(node, 'object'), ...(node.computed === true ? [partOf(node, 'property')] : [])];
  return parts.some((part) => readsElsewhere(part, name));
}

/** `a[this.thread.z][this.thread.y][this.thread.x]` */
export function isOwnElement(node: Ast): boolean {
  let array = node;
  for (const axis of ['x', 'y', 'z']) {
    if (array.type !== 'MemberExpression' || array.computed !== true) return false;
    if (!isCoordinate(partOf(array, 'property'), axis)) return false;
    array = partOf(array, 'object');
  }
  return array.type === 'Identifier';
}

/** `this.thread.x` */
const isCoordinate = (node: Ast, axis: string): boolean =>
  node.type === 'MemberExpression' &&
  node.computed !== true &&
  partOf(node, 'property').name === axis &&
  partOf(node, 'object').type === 'MemberExpression' &&
  partOf(partOf(node, 'object'), 'property').name === 'thread' &&
  partOf(partOf(node, 'object'), 'object').type === 'ThisExpression';
