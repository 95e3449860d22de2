import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../bench/onnx/encode.ts';
import { exportGraph } from '../../bench/onnx/export-graph.ts';
import { Message } from '../../bench/onnx/protobuf.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import {
  defineModel,
  f32,
  i32,
  linear,
  matmul,
  nn,
  param,
  permute,
  scaledDotProductAttention,
  softmax,
  trace,
} from '../../src/index.ts';
import type { Graph } from '../../src/ir/node.ts';
import { randomData } from '../../src/testing/random.ts';
import { integers, messages, readFields, texts } from './protobuf-reader.ts';

describe('protocol buffers', () => {
  it('writes integers seven bits a byte, negative ones as 64 bits', () => {
    expect([...new Message().int(1, 150).encode()]).toEqual([0x08, 0x96, 0x01]);
    expect([...new Message().int(1, 0).encode()]).toEqual([0x08, 0]);
    expect([...new Message().int(20, -1).encode()]).toEqual([0xa0, 0x01, ...new Array(9).fill(0xff), 0x01]);
    const large = 2n ** 62n + 12345n;
    expect(readFields(new Message().int(3, large).encode())).toEqual([{ number: 3, value: large }]);
  });

  it('writes texts, floats and messages in messages', () => {
    const inner = new Message().text(2, 'é').float(5, 0.5);
    const bytes = new Message().message(7, inner).ints(8, [1, 300]).encode();
    expect(texts(messages(bytes, 7)[0] as Uint8Array, 2)).toEqual(['é']);
    expect([...(messages(messages(bytes, 7)[0] as Uint8Array, 5)[0] as Uint8Array)]).toEqual([0, 0, 0, 0x3f]);
    expect(integers(bytes, 8)).toEqual([1, 300]);
  });
});

const exported = (graph: Graph, attention: 'ops' | 'fused' = 'ops') =>
  exportGraph(graph, randomData(graph, 1).params, { attention });

const attend = defineModel('attend', { x: f32('N', 8) }, ({ x }) => {
  const project = (name: string) => nn.linear(name, x, 8, { bias: false });
  const weights = softmax(matmul(project('q'), permute(project('k'), [1, 0])));
  return { y: matmul(weights, project('v')) };
});

describe('a graph as an ONNX model', () => {
  it('has inputs by id, parameters by key and outputs by name, with their types and shapes', () => {
    const model = defineModel('embed', { tokens: i32('N', { below: 5 }) }, ({ tokens }) => ({
      out: linear(nn.embedding('wte', tokens, [5, 4]), param('head.weight', [3, 4])),
    }));
    const onnx = exported(specialise(trace(model), { N: 7 }));
    expect(onnx.inputs).toEqual([{ name: 'tokens', type: 'int32', shape: [7] }]);
    expect(onnx.outputs).toEqual([{ name: 'out', type: 'float32', shape: [7, 3] }]);
    expect(onnx.initializers.map(({ name, shape }) => [name, shape])).toEqual([
      ['wte.weight', [5, 4]],
      ['head.weight', [3, 4]],
    ]);
    expect(onnx.nodes.map(({ op }) => op)).toEqual(['Gather', 'Gemm', 'Identity']);
  });

  it('is written in the format of onnx.proto', () => {
    const graph = specialise(trace(attend), { N: 3 });
    const bytes = encodeModel(exported(graph));
    expect(integers(bytes, 1)).toEqual([10]);
    expect(messages(bytes, 8).map((opset) => [texts(opset, 1), integers(opset, 2)])).toEqual([
      [[''], [20]],
      [['com.microsoft'], [1]],
    ]);
    const [inside] = messages(bytes, 7) as [Uint8Array];
    const nodes = messages(inside, 1);
    expect(texts(inside, 2)).toEqual(['attend']);
    expect(nodes.flatMap((node) => texts(node, 4))).toContain('Softmax');
    // Values are defined before they are read, and once.
    const known = new Set([
      '',
      ...[5, 11].flatMap((field) => messages(inside, field).flatMap(namesOf(field))),
    ]);
    for (const node of nodes) {
      for (const input of texts(node, 1)) expect(known).toContain(input);
      for (const output of texts(node, 2)) {
        expect(known).not.toContain(output);
        known.add(output);
      }
    }
    for (const output of messages(inside, 12)) expect(known).toContain(texts(output, 1)[0]);
    const [weight] = messages(inside, 5) as [Uint8Array];
    expect(integers(weight, 1)).toEqual([8, 8]);
    expect(integers(weight, 2)).toEqual([1]);
    const [raw] = messages(weight, 9) as [Uint8Array];
    const [first] = graph.params;
    const data = randomData(graph, 1).params[first?.id as string] as Float32Array;
    expect(new Float32Array(raw.slice().buffer)).toEqual(data);
  });

  it('fuses attention whose scores nothing else needs, with its causal mask', () => {
    const model = defineModel(
      'causal',
      { q: f32(2, 'N', 4), k: f32(2, 'N', 4), v: f32(2, 'N', 4) },
      ({ q, k, v }) => ({ y: scaledDotProductAttention(q, k, v, { causal: true }) }),
    );
    const graph = specialise(trace(model), { N: 6 });
    expect(exported(graph).nodes.map(({ op }) => op)).toContain('Softmax');
    const fused = exported(graph, 'fused').nodes;
    expect(fused.map(({ op }) => op)).not.toContain('Softmax');
    const attention = fused.find(({ op }) => op === 'MultiHeadAttention');
    expect(attention?.domain).toBe('com.microsoft');
    expect(attention?.attributes).toEqual({
      num_heads: { int: 2 },
      scale: { float: 1 },
      unidirectional: { int: 1 },
    });
  });

  it('leaves attention whose weights are an output as it is', () => {
    const model = defineModel('shown', { q: f32(2, 'N', 4) }, ({ q }) => {
      const weights = softmax(matmul(q, permute(q, [0, 2, 1])));
      return { weights, y: matmul(weights, q) };
    });
    const nodes = exported(specialise(trace(model), { N: 6 }), 'fused').nodes;
    expect(nodes.map(({ op }) => op)).not.toContain('MultiHeadAttention');
  });

  it('names a padding that ONNX does not have', () => {
    const model = defineModel('image', { x: f32(1, 2, 5, 5) }, ({ x }) => ({
      y: nn.conv2d('conv', x, 3, 3),
    }));
    const graph = specialise(trace(model), {});
    const nodes = graph.nodes.map((node) =>
      node.kind === 'op' && node.op === 'conv2d'
        ? { ...node, attrs: { ...node.attrs, padding: [1, -1, 0, 0] } }
        : node,
    );
    expect(() => exported({ ...graph, nodes })).toThrow(
      /^conv2d \(\w+\): ONNX has no negative padding, got \[1, -1, 0, 0\]$/,
    );
  });

  it('names an op that has no translation', () => {
    const graph = specialise(trace(attend), { N: 3 });
    const nodes = graph.nodes.map((node) =>
      node.kind === 'op' && node.op === 'softmax' ? { ...node, op: 'groupMoments' } : node,
    );
    expect(() => exported({ ...graph, nodes })).toThrow(
      /^groupMoments \(\w+\): this op has no translation to ONNX$/,
    );
  });
});

/** Names of initializers and of values, whose fields have other numbers. */
const namesOf = (field: number) => (message: Uint8Array) => texts(message, field === 5 ? 8 : 1);
