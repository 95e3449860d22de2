import type { Backend } from '../ir/ops/op.ts';
import { listBackends } from '../runtime/index.ts';

/** What `auto` means on this machine, without opening a device: the best backend that is not a software adapter. */
export async function chooseBackend(): Promise<Backend> {
  const found = (await listBackends()).find((info) => info.available && info.software !== true);
  return found?.backend ?? 'cpu';
}
