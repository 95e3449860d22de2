import type { BackendName } from '../../runtime/index.ts';

/**
 * Starts timing; the function returned says how many seconds it has been. Where kernels run on the processor, time that
 * other programs took it away does not count: it is the time on the clock or, where that is less, the processor time of
 * this process.
 */
export function stopwatch(backend: BackendName): () => number {
  const started = performance.now();
  const before = process.cpuUsage();
  return () => {
    const clock = (performance.now() - started) / 1e3;
    if (backend === 'webgpu') return clock;
    const { user, system } = process.cpuUsage(before);
    return Math.min(clock, (user + system) / 1e6);
  };
}
