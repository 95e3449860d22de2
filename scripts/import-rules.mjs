/** The dependency direction of the house: what may import what, types included. Paths are relative to the repository. */

/** Nothing under src/`from` imports from src/`forbidden`. */
const within = (name, from, forbidden, why) => ({
  name,
  why,
  from: new RegExp(`^src/(${from})/`),
  to: new RegExp(`^src/(${forbidden})/`),
});

export const rules = [
  within(
    'layout-is-a-leaf',
    'layout',
    'dsl|ir|trace|compiler|codegen|runtime|weights|testing|report|cli',
    'layout is pure stride arithmetic',
  ),
  within(
    'ir-depends-on-layout-only',
    'ir',
    'dsl|trace|compiler|codegen|runtime|weights|testing|report|cli',
    'the IR knows nothing of its users',
  ),
  within(
    'dsl-and-trace',
    'dsl|trace',
    'compiler|codegen|runtime|weights|testing|report|cli',
    'authoring depends on the IR alone',
  ),
  within(
    'compiler-is-pure',
    'compiler',
    'dsl|trace|codegen|runtime|weights|testing|report|cli',
    'passes map graphs to graphs',
  ),
  within(
    'codegen-is-a-printer',
    'codegen',
    'dsl|trace|compiler|runtime|weights|testing|report|cli',
    'codegen sees the plan, not its makers',
  ),
  within(
    'runtime-stands-alone',
    'runtime',
    'dsl|ir|trace|compiler|codegen|weights|testing|report|cli',
    'a generated module ships with the runtime alone',
  ),
  within(
    'weights-are-data',
    'weights',
    'dsl|trace|compiler|codegen|runtime|testing|report|cli',
    'weights are read into plain arrays',
  ),
  within('report-is-not-the-command-line', 'report', 'cli', 'reports are printed by whoever wants them'),
  {
    name: 'ts-morph-only-in-codegen',
    why: 'a TypeScript compiler is heavy, and the generator is the only one who needs it',
    from: /^src\/(?!codegen\/)/,
    to: /^ts-morph$/,
  },
  {
    name: 'gpu.js-in-one-folder',
    why: "gpu.js's private parts are touched in one place, pinned to one version",
    from: /^src\/(?!runtime\/gpujs\/)/,
    to: /^gpu\.js(\/|$)/,
  },
];
