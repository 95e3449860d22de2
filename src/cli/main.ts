#!/usr/bin/env node
import { runCli } from './cli.ts';
import { enableRelaxedSimd } from './device-options.ts';
import { interruptible } from './interruptible.ts';

enableRelaxedSimd();

for (const stream of [process.stdout, process.stderr]) {
  // The reader went away (`autochunk inspect … | head`): nothing is left to say.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(process.exitCode ?? 0);
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  color: process.stderr.isTTY === true && process.stdout.isTTY === true && !process.env.NO_COLOR,
  interruptible,
});
