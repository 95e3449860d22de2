import type { ResolveHook } from 'node:module';

let own: Readonly<Record<string, string>> = {};

/** Receives the addresses of this package's own entry points, by specifier. */
export function initialize(addresses: Readonly<Record<string, string>>): void {
  own = addresses;
}

/**
 * A model's `import 'autochunk'` gives the library that the command line itself runs on (the tracer keeps state, so two
 * copies would not see each other), and TypeScript is an ES module whatever the nearest package.json says.
 */
export const resolve: ResolveHook = async (specifier, context, next) => {
  const address = own[specifier];
  if (address !== undefined) return { url: address, format: 'module', shortCircuit: true };
  const found = await next(specifier, context);
  return /\.tsx?(\?|$)/.test(found.url) ? { ...found, format: 'module' } : found;
};
