import { equationOf, paddingOf } from './attrs.mjs';

/** The lowest finite float32: what masked scores become. */
const LOWEST = -3.4028234663852886e38;

/**
 * Every op of our graphs in jax-js, for `interpret` inside `jit`. Functions of jax-js take their operands over; those that are
 * needed again are passed as another reference (`ref`), and `release` gives up the one that is left.
 */
export function jaxOps({ numpy: np, nn, lax }) {
  const standardise = (x, axis, epsilon) => nn.standardize(x, axis, { epsilon });
  const affine = (x, weight, bias) => x.mul(weight).add(bias);
  const ops = {
    add: (_, a, b) => a.add(b),
    sub: (_, a, b) => a.sub(b),
    mul: (_, a, b) => a.mul(b),
    div: (_, a, b) => a.div(b),
    addScalar: ({ attrs }, x) => x.add(attrs.value),
    mulScalar: ({ attrs }, x) => x.mul(attrs.value),
    relu: (_, x) => nn.relu(x),
    sigmoid: (_, x) => nn.sigmoid(x),
    silu: (_, x) => nn.silu(x),
    gelu: ({ attrs }, x) => nn.gelu(x, { approximate: attrs.tanh === true }),
    geglu(_, x) {
      const [half, gate] = np.split(x, 2, -1);
      return half.mul(nn.gelu(gate, { approximate: false }));
    },
    matmul: (_, a, b) => np.matmul(a, b),
    linear({ attrs }, x, weight, bias) {
      const result = np.matmul(x, attrs.transposed === true ? weight : np.matrixTranspose(weight));
      return bias === undefined ? result : result.add(bias);
    },
    einsum: (node, a, b) => np.einsum(equationOf(node), a, b),
    embedding: (_, table, ids) => np.take(table, ids, 0),
    softmax: ({ attrs }, x) => nn.softmax(x, attrs.axis),
    layerNorm: ({ attrs }, x, weight, bias) => affine(standardise(x, -1, attrs.epsilon), weight, bias),
    groupNorm({ attrs }, x, weight, bias) {
      const shape = x.shape;
      const groups = shape[1] / attrs.channelsPerGroup;
      const byChannel = [shape[1], ...shape.slice(2).map(() => 1)];
      const normal = standardise(x.reshape([shape[0], groups, -1]), 2, attrs.epsilon).reshape(shape);
      return affine(normal, weight.reshape(byChannel), bias.reshape(byChannel));
    },
    causalMask(_, x) {
      const [rows, columns] = x.shape.slice(-2);
      return np.where(np.tri(rows, columns, 0, { dtype: np.bool }), x, LOWEST);
    },
    conv2d(node, x, weight, bias) {
      const { stride, dilation } = node.attrs;
      const [top, bottom, left, right] = paddingOf(node);
      const groups = x.shape[1] / weight.shape[1];
      const result = lax.convGeneralDilated(
        x,
        weight,
        [...stride],
        [
          [top, bottom],
          [left, right],
        ],
        { rhsDilation: [...dilation], featureGroupCount: groups },
      );
      return bias === undefined ? result : result.add(bias.reshape([-1, 1, 1]));
    },
    reshape: ({ shape }, x) => x.reshape([...shape]),
    permute: ({ attrs }, x) => x.transpose([...attrs.axes]),
    expand: ({ shape }, x) => np.broadcastTo(x, [...shape]),
    slice({ attrs, shape }, x) {
      return x.slice(
        ...shape.map((extent, axis) => (axis === attrs.axis ? [attrs.start, attrs.start + extent] : [])),
      );
    },
    concat: ({ attrs }, ...parts) => np.concatenate(parts, attrs.axis),
  };
  const borrowing = Object.entries(ops).map(([name, op]) => [
    name,
    (node, ...values) => op(node, ...values.map((value) => value.ref)),
  ]);
  return {
    ...Object.fromEntries(borrowing),
    library: 'jax-js',
    release: (value) => value.dispose(),
    tensor: (data, shape, dtype) =>
      dtype === 'i32'
        ? np.array(Int32Array.from(data), { shape: [...shape], dtype: np.int32 })
        : np.array(data.slice(), { shape: [...shape] }),
  };
}
