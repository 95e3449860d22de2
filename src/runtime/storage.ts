/** A block of device memory: the thing with bytes that is allocated and freed. Backends attach their own handle. */
export interface Storage {
  readonly bytes: number;
  /** Parameters are counted apart from activations. */
  readonly role: 'activation' | 'parameter';
  /** False once freed; using a dead storage is an error. */
  readonly alive: boolean;
  /** Gives the bytes back to the device. Throws UserError when already freed. */
  free(): void;
}
