import type { ValueId } from '../../ir/node.ts';

/** Values that a loop computes on the way to a value of the model are named after it: `weights$max`. The tracer gives no such names. */
const MARK = '$';

export const derived = (of: ValueId, what: string): ValueId => `${of}${MARK}${what}`;

/** The value that a derived one is named after; undefined for others. */
export function baseOf(id: ValueId): ValueId | undefined {
  const at = id.lastIndexOf(MARK);
  return at < 0 ? undefined : id.slice(0, at);
}

/** The name that `names` gives a value, or the one it is derived from. */
export function renameValue(id: ValueId, names: ReadonlyMap<ValueId, ValueId>): ValueId {
  const known = names.get(id);
  if (known !== undefined) return known;
  const base = baseOf(id);
  return base === undefined ? id : renameValue(base, names) + id.slice(base.length);
}
