import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** Installs the packages of this folder where they are missing or not those of its lock file. Throws where npm fails. */
export function installPeers() {
  const versions = (path) =>
    existsSync(path)
      ? Object.entries(JSON.parse(readFileSync(path, 'utf8')).packages)
          .filter(([name]) => name !== '')
          .map(([name, { version }]) => `${name} ${version}`)
          .sort()
          .join('\n')
      : '';
  if (versions(`${folder}package-lock.json`) === versions(`${folder}node_modules/.package-lock.json`)) return;
  process.stderr.write('installing the libraries to compare with\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, error } = spawnSync(npm, args, {
    cwd: folder,
    stdio: ['ignore', 2, 2],
    shell: npm !== 'npm',
  });
  if (status !== 0) throw new Error(`npm ci in bench/peers failed${error ? `: ${error.message}` : ''}`);
}
