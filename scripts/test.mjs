#!/usr/bin/env node
/**
 * Builds what the tests run (they also test the built dist), then runs vitest with the arguments given. The last line
 * on stdout is `N passed, M failed`; the exit code is vitest's. With AUTOCHUNK_TEST_REPORT=file the counts are added there.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensure, root } from './ensure.mjs';

await ensure({ build: true });

const scratch = mkdtempSync(join(tmpdir(), 'autochunk-test-'));
const report = join(scratch, 'report.json');
try {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const run = spawnSync(process.execPath, [...args, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  if (existsSync(report)) {
    const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    // A file that cannot be loaded has no tests of its own, and must not look like success.
    const broken = testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    ).length;
    const failed = numFailedTests + broken;
    if (numPendingTests > 0) console.log(`${numPendingTests} skipped (each says why in its name)`);
    console.log(`${numPassedTests} passed, ${failed} failed`);
    const total = process.env.AUTOCHUNK_TEST_REPORT;
    if (total) appendFileSync(total, `${numPassedTests} ${failed}\n`);
  }
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
