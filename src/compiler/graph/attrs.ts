import { type Bindings, type Dim, evalDim, mulDims } from '../../ir/dims.ts';
import { type Attrs, type AttrValue, isTextAttr } from '../../ir/node.ts';

const isList = (value: AttrValue): value is readonly Dim[] => Array.isArray(value);

/** The attributes with every dimension in them replaced. */
export const mapAttrDims = (attrs: Attrs, replace: (dim: Dim) => Dim): Attrs =>
  Object.fromEntries(
    Object.entries(attrs).map(([key, value]) => [
      key,
      typeof value === 'boolean' || isTextAttr(value)
        ? value
        : isList(value)
          ? value.map(replace)
          : replace(value as Dim),
    ]),
  );

const symbolic = (value: AttrValue): boolean =>
  typeof value === 'string' || (isList(value) && value.some((dim) => typeof dim === 'string'));

/** The attributes as numbers. */
export const evalAttrs = (attrs: Attrs, bindings: Bindings): Attrs => {
  for (const key in attrs) {
    if (symbolic(attrs[key] as AttrValue)) return mapAttrDims(attrs, (dim) => evalDim(dim, bindings));
  }
  return attrs;
};

/** `multiple · dim`. */
export const times = (multiple: number, dim: Dim): Dim => (multiple === 1 ? dim : mulDims(multiple, dim));
