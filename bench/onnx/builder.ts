import type { AttributeValue, ElementType, OnnxNode, OnnxTensor } from './encode.ts';

export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Nodes and constants of an ONNX graph under construction. Values are named after `hint`, each name once. */
export class Builder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  private readonly names = new Set<string>();
  private readonly constants = new Map<string, string>();

  /** Reserves a name. */
  name(hint: string): string {
    let name = hint;
    for (let i = 1; this.names.has(name); i++) name = `${hint}_${i}`;
    this.names.add(name);
    return name;
  }

  /** Adds a node with one output and returns that output's name. */
  add(op: string, inputs: readonly string[], attributes: Attributes = {}, domain = ''): string {
    const output = this.name(op);
    this.nodes.push({ op, domain, inputs, outputs: [output], attributes });
    return output;
  }

  /** Adds a node with several outputs. */
  addMany(op: string, inputs: readonly string[], outputs: number, attributes: Attributes): string[] {
    const names = Array.from({ length: outputs }, () => this.name(op));
    this.nodes.push({ op, domain: '', inputs, outputs: names, attributes });
    return names;
  }

  float(shape: readonly number[], values: readonly number[] | Float32Array): string {
    return this.constant('float32', shape, bytesOf(Float32Array.from(values)));
  }

  int64(values: readonly number[]): string {
    return this.constant('int64', [values.length], bytesOf(BigInt64Array.from(values, BigInt)));
  }

  int32(shape: readonly number[], values: readonly number[]): string {
    return this.constant('int32', shape, bytesOf(Int32Array.from(values)));
  }

  /** Equal small constants are one. */
  constant(type: ElementType, shape: readonly number[], bytes: Uint8Array): string {
    const key = bytes.length <= 64 ? `${type} [${shape}] ${bytes}` : undefined;
    const known = key === undefined ? undefined : this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.name('constant');
    this.initializers.push({ name, type, shape, bytes });
    if (key !== undefined) this.constants.set(key, name);
    return name;
  }
}

export const bytesOf = (elements: ArrayBufferView): Uint8Array =>
  new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
