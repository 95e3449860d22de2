import { Message } from './protobuf.ts';

/** Element types, with their numbers in onnx.proto (`TensorProto.DataType`). */
const ELEMENT_TYPES = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

/** A float attribute is written apart from an integer: both are numbers here. */
export type AttributeValue =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] };

export interface OnnxNode {
  readonly op: string;
  /** '' is the standard one. */
  readonly domain: string;
  /** '' leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

export interface OnnxTensor extends OnnxValue {
  /** Elements, row-major, little-endian. */
  readonly bytes: Uint8Array;
}

export interface OnnxModel {
  readonly name: string;
  /** Version by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** The version of the file format; 10 goes with operator sets up to 23. */
const IR_VERSION = 10;
/** `AttributeProto.AttributeType`. */
const ATTRIBUTE_TYPES = { float: 1, int: 2, text: 3, ints: 7 } as const;

/** The bytes of an .onnx file. Field numbers are those of onnx.proto. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const graph = new Message();
  for (const node of model.nodes) graph.message(1, encodeNode(node));
  graph.text(2, model.name);
  for (const tensor of model.initializers) graph.message(5, encodeTensor(tensor));
  for (const value of model.inputs) graph.message(11, encodeValue(value));
  for (const value of model.outputs) graph.message(12, encodeValue(value));
  const message = new Message().int(1, IR_VERSION).text(2, 'autochunk').message(7, graph);
  for (const [domain, version] of Object.entries(model.opsets))
    message.message(8, new Message().text(1, domain).int(2, version));
  return message.encode();
}

function encodeNode({ op, domain, inputs, outputs, attributes }: OnnxNode): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  for (const output of outputs) message.text(2, output);
  message.text(3, outputs[0] ?? op).text(4, op);
  for (const [name, value] of Object.entries(attributes)) message.message(5, encodeAttribute(name, value));
  return domain === '' ? message : message.text(7, domain);
}

function encodeAttribute(name: string, value: AttributeValue): Message {
  const message = new Message().text(1, name);
  if ('float' in value) return message.float(2, value.float).int(20, ATTRIBUTE_TYPES.float);
  if ('int' in value) return message.int(3, value.int).int(20, ATTRIBUTE_TYPES.int);
  if ('text' in value) return message.text(4, value.text).int(20, ATTRIBUTE_TYPES.text);
  return message.ints(8, value.ints).int(20, ATTRIBUTE_TYPES.ints);
}

const encodeTensor = ({ name, type, shape, bytes }: OnnxTensor): Message =>
  new Message().ints(1, shape).int(2, ELEMENT_TYPES[type]).text(8, name).bytes(9, bytes);

function encodeValue({ name, type, shape }: OnnxValue): Message {
  const dims = new Message();
  for (const extent of shape) dims.message(1, new Message().int(1, extent));
  const tensor = new Message().int(1, ELEMENT_TYPES[type]).message(2, dims);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
