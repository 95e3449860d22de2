/** autochunk: a generated module on a device of its own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { enableRelaxedSimd } from '../../dist/cli/device-options.js';
import { Session } from '../../dist/cli/session.js';

/** @param plan `unchunked`, or the budget that it keeps */
export async function openAutochunk({ signature, data }, folder, backend, plan) {
  if (backend === 'webasm') enableRelaxedSimd();
  const session = await Session.open(
    { backend },
    readFileSync(join(folder, `${plan}.ts`), 'utf8'),
    signature,
    data,
  );
  const { device } = session;
  const threads = backend === 'webasm' ? `, ${device.threads} threads` : '';
  const read = (outputs) =>
    Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data]));
  return {
    about: `autochunk, ${backend} (${device.adapter})${threads}, ${plan === 'unchunked' ? plan : `budget ${plan}`}`,
    run: async () => read((await session.run()).outputs),
    /** Runs once more. */
    peakBytes: async () => (await session.run()).measuredPeakBytes,
    close: () => session.close(),
  };
}
