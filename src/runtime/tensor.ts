import { UserError } from '../errors.ts';
import {
  contiguous,
  elementCount,
  expandLayout,
  type Layout,
  permuteLayout,
  reshapeLayout,
  sliceLayout,
} from '../layout/layout.ts';
import type { Device, DType, StorageView } from './device.ts';
import type { Storage } from './storage.ts';

const text = (values: readonly number[]): string => `[${values.join(', ')}]`;

/**
 * A view of device memory: a storage seen through a shape, strides and an offset. `slice`, `permute`, `reshape` and
 * `expand` make other views of the same storage and move nothing; `free` releases the storage behind all of them.
 */
export class Tensor {
  readonly device: Device;
  readonly storage: Storage;
  readonly layout: Layout;
  readonly dtype: DType;

  constructor(device: Device, storage: Storage, layout: Layout, dtype: DType) {
    this.device = device;
    this.storage = storage;
    this.layout = layout;
    this.dtype = dtype;
  }

  /** A view of the whole of `storage` as a contiguous tensor. */
  static over(device: Device, storage: Storage, shape: readonly number[], dtype: DType): Tensor {
    return new Tensor(device, storage, contiguous([...shape]), dtype);
  }

  get shape(): readonly number[] {
    return this.layout.shape;
  }

  /** What kernels read and write. Throws UserError when the tensor was freed. */
  get view(): StorageView {
    this.#mustBeAlive('use');
    return { storage: this.storage, layout: this.layout };
  }

  /** Elements `start ≤ i < stop` of one axis. Throws UserError when they are not within the axis. */
  slice(axis: number, start: number, stop: number): Tensor {
    this.#mustBeAlive('slice');
    const extent = this.#extent('slice', axis);
    const whole = Number.isInteger(start) && Number.isInteger(stop);
    if (!whole || start < 0 || stop > extent || start > stop) {
      throw new UserError(
        `slice: elements ${start} to ${stop} are not within axis ${axis} of ${text(this.shape)}, which has ${extent}. ` +
          'Use integers with 0 <= start <= stop <= extent.',
      );
    }
    return this.#seen(sliceLayout(this.layout, axis, start, stop));
  }

  /** Axis `i` of the result is axis `axes[i]` of this tensor. Throws UserError unless `axes` is a permutation. */
  permute(axes: readonly number[]): Tensor {
    this.#mustBeAlive('permute');
    const sorted = [...axes].sort((a, b) => a - b);
    if (axes.length !== this.shape.length || sorted.some((axis, i) => axis !== i)) {
      throw new UserError(
        `permute: ${text(axes)} does not name every axis of ${text(this.shape)} once. ` +
          `Give the ${this.shape.length} axes 0 to ${this.shape.length - 1} in their new order.`,
      );
    }
    return this.#seen(permuteLayout(this.layout, axes));
  }

  /** The same elements under another shape. Throws UserError when that would have to move them. */
  reshape(shape: readonly number[]): Tensor {
    this.#mustBeAlive('reshape');
    if (elementCount(shape) !== elementCount(this.shape)) {
      throw new UserError(
        `reshape: ${text(this.shape)} has ${elementCount(this.shape)} elements, ${text(shape)} has ${elementCount(shape)}. ` +
          'Give a shape with the same number of elements.',
      );
    }
    const layout = reshapeLayout(this.layout, [...shape]);
    if (!layout) {
      throw new UserError(
        `reshape: ${text(this.shape)} with strides ${text(this.layout.strides)} cannot be seen as ${text(shape)} without ` +
          'moving elements. Copy it first: k.copy(x, { into: device.alloc(x.shape) }).',
      );
    }
    return this.#seen(layout);
  }

  /** Numpy broadcasting to `shape`. Throws UserError when an axis is neither 1 nor the wanted extent. */
  expand(shape: readonly number[]): Tensor {
    this.#mustBeAlive('expand');
    const layout = expandLayout(this.layout, [...shape]);
    if (!layout) {
      throw new UserError(
        `expand: ${text(this.shape)} does not broadcast to ${text(shape)}. ` +
          'Aligned at the last axis, every extent must be 1 or equal to the wanted one.',
      );
    }
    return this.#seen(layout);
  }

  /** Frees the storage behind this view and every other view of it. Throws UserError when already freed. */
  free(): void {
    this.storage.free();
  }

  #seen(layout: Layout): Tensor {
    return new Tensor(this.device, this.storage, layout, this.dtype);
  }

  #extent(op: string, axis: number): number {
    const extent = this.shape[axis];
    if (extent === undefined) {
      throw new UserError(
        `${op}: axis ${axis} does not exist in ${text(this.shape)}. Use an axis from 0 to ${this.shape.length - 1}.`,
      );
    }
    return extent;
  }

  #mustBeAlive(op: string): void {
    if (!this.storage.alive) {
      throw new UserError(
        `${op}: this tensor ${text(this.shape)} was freed. Use it before free(), or free it after its last use.`,
      );
    }
  }
}
