import type { AxisOrigin, ValueOrigins } from '../ir/origins.ts';

/**
 * Where the axes of a value come from, e.g. `axes from [tokens.0, q_weight.0]`: the first input axis of each, the first
 * parameter axis where no input is behind it, `–` where the axis starts in the model.
 */
export function axesText(origins: ValueOrigins | undefined): string | undefined {
  if (!origins || origins.length === 0) return undefined;
  const one = (axis: readonly AxisOrigin[]): string => {
    const inputs = axis.filter(({ kind }) => kind === 'input');
    const [first, ...more] = inputs.length > 0 ? inputs : axis;
    if (!first) return '–';
    return `${first.id}.${first.axis}${more.length > 0 ? ` +${more.length}` : ''}`;
  };
  return `axes from [${origins.map(one).join(', ')}]`;
}
