import type { MemoryCounters } from './device.ts';
import type { Storage } from './storage.ts';

/** The byte counter of a device: fed by every allocation and every free, whatever the backend. */
export class MemoryMeter implements MemoryCounters {
  #live = 0;
  #peak = 0;
  #parameters = 0;
  readonly #reserved: () => number;
  readonly #workspace: () => number;

  /** `reserved` reports the bytes that the backend's pool or arena holds, `workspace` those of its own. */
  constructor(reserved: () => number, workspace: () => number) {
    this.#reserved = reserved;
    this.#workspace = workspace;
  }

  get liveBytes(): number {
    return this.#live;
  }

  get peakBytes(): number {
    return this.#peak;
  }

  get parameterBytes(): number {
    return this.#parameters;
  }

  get reservedBytes(): number {
    return this.#reserved();
  }

  get workspaceBytes(): number {
    return this.#workspace();
  }

  resetPeak(): void {
    this.#peak = this.#live;
  }

  allocated(bytes: number, role: Storage['role']): void {
    if (role === 'parameter') {
      this.#parameters += bytes;
      return;
    }
    this.#live += bytes;
    this.#peak = Math.max(this.#peak, this.#live);
  }

  freed(bytes: number, role: Storage['role']): void {
    if (role === 'parameter') this.#parameters -= bytes;
    else this.#live -= bytes;
  }
}
