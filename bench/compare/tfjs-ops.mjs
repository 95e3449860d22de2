import { equationOf, paddingOf, product } from './attrs.mjs';

/** The lowest finite float32: what masked scores become. */
const LOWEST = -3.4028234663852886e38;

/** Its own `einsum` needs a kernel that the WebAssembly backend lacks: a product of matrices, batched, in its place. */
function einsum(tf, equation, a, b) {
  const [left, right, out] = equation.split(/,|->/).map((labels) => [...labels]);
  const batch = out.filter((label) => left.includes(label) && right.includes(label));
  const inner = left.filter((label) => right.includes(label) && !out.includes(label));
  const rows = out.filter((label) => !right.includes(label));
  const columns = out.filter((label) => !left.includes(label));
  if (
    [...batch, ...inner, ...rows].length !== left.length ||
    [...batch, ...inner, ...columns].length !== right.length
  )
    throw new Error(`einsum '${equation}': a label that one operand alone has is summed over`);
  const extents = new Map([
    ...left.map((label, i) => [label, a.shape[i]]),
    ...right.map((label, i) => [label, b.shape[i]]),
  ]);
  const size = (labels) => product(labels.map((label) => extents.get(label)));
  const matrices = (x, labels, order, shape) =>
    tf.reshape(
      tf.transpose(
        x,
        order.map((label) => labels.indexOf(label)),
      ),
      shape,
    );
  const multiplied = tf.matMul(
    matrices(a, left, [...batch, ...rows, ...inner], [size(batch), size(rows), size(inner)]),
    matrices(b, right, [...batch, ...inner, ...columns], [size(batch), size(inner), size(columns)]),
  );
  const order = [...batch, ...rows, ...columns];
  const result = tf.reshape(
    multiplied,
    order.map((label) => extents.get(label)),
  );
  return tf.transpose(
    result,
    out.map((label) => order.indexOf(label)),
  );
}

/**
 * Every op of our graphs as the fewest and fastest ops of TensorFlow.js, for `interpret`. Its fused products and convolutions are
 * used; images are in its own layout (channels last) around convolutions, the only one its WebAssembly knows.
 */
export function tfjsOps(tf) {
  const kept = new Map();
  /** A constant that a node needs, made in the first run. */
  const once = (node, make) => {
    if (!kept.has(node.id)) kept.set(node.id, tf.keep(make()));
    return kept.get(node.id);
  };
  const number = (f) => (node, x) => f(x, tf.scalar(node.attrs.value));
  const gelu = (x, tanh) => {
    const inner = tanh
      ? tf.tanh(tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI)))
      : tf.erf(tf.mul(x, Math.SQRT1_2));
    return tf.mul(tf.mul(x, 0.5), tf.add(inner, 1));
  };
  const standardise = (x, axis, epsilon) => {
    const { mean, variance } = tf.moments(x, axis, true);
    return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)));
  };
  const byChannel = (x, rank) => tf.reshape(x, [x.size, ...new Array(rank - 2).fill(1)]);

  const ops = {
    add: (_, a, b) => tf.add(a, b),
    sub: (_, a, b) => tf.sub(a, b),
    mul: (_, a, b) => tf.mul(a, b),
    div: (_, a, b) => tf.div(a, b),
    addScalar: number(tf.add),
    mulScalar: number(tf.mul),
    relu: (_, x) => tf.relu(x),
    sigmoid: (_, x) => tf.sigmoid(x),
    silu: (_, x) => tf.mul(x, tf.sigmoid(x)),
    gelu: ({ attrs }, x) => gelu(x, attrs.tanh === true),
    geglu(_, x) {
      const [half, gate] = tf.split(x, 2, -1);
      return tf.mul(half, gelu(gate, false));
    },
    matmul: (_, a, b) => tf.matMul(a, b),
    linear(node, x, weight, bias) {
      const rows = tf.reshape(x, [-1, x.shape.at(-1)]);
      const options = bias === undefined ? {} : { bias };
      // Its fused product of a transposed operand gives wrong results on WebAssembly (4.22.0).
      const b = node.attrs.transposed === true ? weight : once(node, () => tf.transpose(weight));
      return tf.reshape(tf.fused.matMul({ a: rows, b, ...options }), node.shape);
    },
    einsum: (node, a, b) => einsum(tf, equationOf(node), a, b),
    embedding: (_, table, ids) => tf.gather(table, ids),
    softmax({ attrs }, x) {
      if (attrs.axis !== x.shape.length - 1) throw new Error('softmax: expected the last axis');
      return tf.softmax(x);
    },
    layerNorm: ({ attrs }, x, weight, bias) =>
      tf.add(tf.mul(standardise(x, -1, attrs.epsilon), weight), bias),
    groupNorm({ attrs }, x, weight, bias) {
      const groups = x.shape[1] / attrs.channelsPerGroup;
      const normal = standardise(tf.reshape(x, [x.shape[0], groups, -1]), 2, attrs.epsilon);
      const rank = x.shape.length;
      return tf.add(tf.mul(tf.reshape(normal, x.shape), byChannel(weight, rank)), byChannel(bias, rank));
    },
    causalMask(node, x) {
      const [rows, columns] = x.shape.slice(-2);
      const mask = once(node, () =>
        tf.where(
          tf.greater(
            tf.reshape(tf.range(0, columns), [1, columns]),
            tf.reshape(tf.range(0, rows), [rows, 1]),
          ),
          LOWEST,
          0,
        ),
      );
      return tf.add(x, mask);
    },
    conv2d(node, x, weight, bias) {
      const { stride, dilation } = node.attrs;
      const filter = once(node, () => tf.transpose(weight, [2, 3, 1, 0]));
      const [top, bottom, left, right] = paddingOf(node);
      const pad = [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ];
      const image = tf.transpose(x, [0, 2, 3, 1]);
      const options = bias === undefined ? {} : { bias };
      const result = tf.fused.conv2d({
        x: image,
        filter,
        strides: stride,
        dilations: dilation,
        pad,
        ...options,
      });
      return tf.transpose(result, [0, 3, 1, 2]);
    },
    reshape: ({ shape }, x) => tf.reshape(x, shape),
    permute: ({ attrs }, x) => tf.transpose(x, attrs.axes),
    expand: ({ shape }, x) => tf.broadcastTo(x, shape),
    slice({ attrs, shape }, x) {
      const start = shape.map((_, axis) => (axis === attrs.axis ? attrs.start : 0));
      return tf.slice(x, start, shape);
    },
    concat: ({ attrs }, ...parts) => tf.concat(parts, attrs.axis),
  };
  const tidied = Object.entries(ops).map(([name, op]) => [name, (...args) => tf.tidy(() => op(...args))]);
  return {
    ...Object.fromEntries(tidied),
    library: 'TensorFlow.js',
    release: (value) => value.dispose(),
    /** Frees the constants of nodes. */
    close: () => tf.dispose([...kept.values()]),
    tensor: (data, shape, dtype) =>
      dtype === 'i32'
        ? tf.tensor(Int32Array.from(data), shape, 'int32')
        : tf.tensor(data.slice(0, product(shape)), shape),
  };
}
