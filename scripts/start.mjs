#!/usr/bin/env node
/** `npm start`: compiles a real model for a fifth of its activation memory, checks it and lets it tell its story. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensure } from './ensure.mjs';

await ensure();

// The built library, as users have it: the paths of this repository's tsconfig would lead to the sources.
const { register } = await import('tsx/esm/api');
register({ tsconfig: false });
process.setSourceMapsEnabled(true);
const { tellStory } = await import('../models/llama/story.ts');

const folder = relative(process.cwd(), fileURLToPath(new URL('../generated', import.meta.url)));
const { faults } = await tellStory({ folder, print: (text) => process.stdout.write(text) });
if (faults.length > 0) {
  process.stderr.write(`error: ${faults.join('; ')}\n`);
  process.exitCode = 1;
}
