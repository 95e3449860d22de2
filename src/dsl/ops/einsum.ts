import { printShape } from '../../ir/dims.ts';
import type { Einsum, FitsFirst, FitsSecond } from '../einsum-shapes.ts';
import type { Dim, Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { emit, expectThat } from './emit.ts';

/**
 * Products of elements summed over the labels that the result lacks: `einsum('sia,sjb->ijab', left, right)`. A label
 * stands for an axis, once a term; `...` for the axes that both operands have besides, from the last one on; without `->`
 * the result has the labels that appear once, in alphabetical order. One operand is summed and permuted.
 */
export function einsum<const E extends string, A extends Shape>(equation: E, a: Tensor<A>): Tensor<Dim[]>;
export function einsum<const E extends string, A extends Shape, B extends Shape>(
  equation: E,
  a: Tensor<A> & FitsFirst<E, A>,
  b: Tensor<B> & FitsSecond<E, A, B>,
): Tensor<Einsum<E, A, B>>;
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  const { terms, result } = readEquation(equation, operands);
  const [a, b] = operands as readonly [Tensor, Tensor | undefined];
  if (b) return emit('einsum', operands, { equation: { text: `${terms.join(',')}->${result}` } });
  return sumAndPermute(a, [...(terms[0] as string)], [...result]);
}

interface Terms {
  readonly terms: readonly string[];
  readonly result: string;
}

/** The labels of every operand and of the result, one character an axis. */
function readEquation(equation: string, operands: readonly Tensor[]): Terms {
  const text = equation.replace(/\s+/g, '');
  const [left = '', right, ...more] = text.split('->');
  const terms = left.split(',');
  expectThat(
    more.length === 0 && /^[A-Za-z,.]*$/.test(left + (right ?? '')),
    'einsum',
    () => `expected an equation such as 'sia,sjb->ijab', got '${equation}'`,
  );
  expectThat(
    terms.length === operands.length && terms.length <= 2,
    'einsum',
    () => `'${equation}' is for ${terms.length} operands, got ${operands.length}; one or two are possible`,
  );
  const rest = terms.map((term, i) => {
    const named = term.replace('...', '').length;
    const rank = operands[i]?.shape.length ?? 0;
    const open = term.includes('...') ? rank - named : 0;
    expectThat(
      open >= 0 && named + open === rank,
      'einsum',
      () => `'${term}' of '${equation}' does not name the axes of ${printShape(operands[i]?.shape ?? [])}`,
    );
    return open;
  });
  const used = new Set(text);
  const free = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter((label) => !used.has(label));
  const most = Math.max(...rest);
  const shared = free.slice(0, most);
  const close = (term: string, count: number): string =>
    term.replace('...', shared.slice(most - count).join(''));
  const closed = terms.map((term, i) => close(term, rest[i] as number));
  const repeated = closed.find((term) => new Set(term).size !== term.length);
  expectThat(
    repeated === undefined,
    'einsum',
    () => `a label appears twice in '${repeated}' of '${equation}'; diagonals are not possible`,
  );
  if (right !== undefined) return { terms: closed, result: close(right, most) };
  const all = left.replaceAll('...', '').replaceAll(',', '');
  const once = [...new Set(all)].filter((label) => all.split(label).length === 2).sort();
  return { terms: closed, result: [...shared, ...once].join('') };
}

function sumAndPermute(x: Tensor, labels: readonly string[], result: readonly string[]): Tensor {
  const unknown = result.find((label) => !labels.includes(label));
  expectThat(unknown === undefined, 'einsum', () => `${unknown} appears only in the result`);
  const summed = labels.map((_, axis) => axis).filter((axis) => !result.includes(labels[axis] as string));
  const kept = labels.filter((label) => result.includes(label));
  const axes = result.map((label) => kept.indexOf(label));
  const total = summed
    .reverse()
    .reduce<Tensor>((value, axis) => emit('sum', [value], { axis, keepdims: false }, { name: 'sum' }), x);
  if (axes.some((axis, i) => axis !== i)) return emit('permute', [total], { axes });
  return total === x ? emit('copy', [x]) : total;
}

/** Every product of an element of `a` and one of `b`: [...a, ...b]. */
export function outer<A extends Shape, B extends Shape>(a: Tensor<A>, b: Tensor<B>): Tensor<[...A, ...B]> {
  const ones = b.shape.map(() => 1);
  const rows = emit('reshape', [a], { shape: [...a.shape, ...ones] }, { name: 'rows' });
  return emit('mul', [rows, b]);
}
