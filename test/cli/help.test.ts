import { expect, it } from 'vitest';
import { useCli } from './support.ts';

const cli = useCli();

it.each(['', 'compile', 'run', 'inspect', 'explain', 'maxlen', 'verify', 'bench', 'tune'])(
  'autochunk %s --help',
  async (command) => {
    const ran = await cli.run(...(command === '' ? [] : [command]), '--help');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    if (command !== '') expect(ran.stdout).toContain('Example');
    expect(ran.stdout).toMatchSnapshot();
  },
);
