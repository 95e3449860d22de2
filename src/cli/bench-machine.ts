import { cpus, loadavg, totalmem } from 'node:os';
import type { BenchMachine } from '../report/bench.ts';

/** Starts watching how busy the machine is; the function returned describes the machine from then until it is called. */
export function observeMachine(): () => BenchMachine {
  const load = (): number => loadavg()[0] as number;
  const before = load();
  const processors = cpus();
  return () => ({
    cores: processors.length,
    processor: processors[0]?.model.trim() ?? '',
    memoryBytes: totalmem(),
    engine: `Node ${process.versions.node}`,
    platform: `${process.platform} ${process.arch}`,
    loadAverage: [before, load()],
  });
}
