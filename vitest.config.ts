import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^autochunk\/runtime$/, replacement: here('./src/runtime/index.ts') },
      { find: /^autochunk\/testing$/, replacement: here('./src/testing/index.ts') },
      { find: /^autochunk\/weights$/, replacement: here('./src/weights/index.ts') },
      { find: /^autochunk$/, replacement: here('./src/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts', 'src/**/*.test.ts', 'models/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
  },
});
