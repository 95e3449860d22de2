// Runs commands of the built command line in one process: real module loading, without a start-up for every case.
import { runCli } from '../../dist/cli/cli.js';

process.on('message', async ({ argv, cwd }) => {
  process.chdir(cwd);
  let stdout = '';
  let stderr = '';
  const code = await runCli(argv, {
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
    color: false,
  });
  process.send({ code, stdout, stderr });
});
process.send('ready');
