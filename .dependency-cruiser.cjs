/** The dependency direction of the house: what may import what. `npm run check` fails when an arrow points the wrong way. */
const within = (name, from, forbidden, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: `^src/${from}/` },
  to: { path: `^src/(${forbidden})/` },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment:
        'device.ts, run.ts and tensor.ts name each other as types only, which the parser cannot tell from imports',
      severity: 'error',
      from: { pathNot: '^src/runtime/(device|run|tensor)\\.ts$' },
      to: { circular: true },
    },
    within(
      'layout-is-a-leaf',
      'layout',
      'dsl|ir|trace|compiler|codegen|runtime|weights|testing|report|cli',
      'layout is pure stride arithmetic',
    ),
    within(
      'formula-is-a-leaf',
      'formula',
      'dsl|ir|layout|trace|compiler|codegen|runtime|weights|testing|report|cli',
      'formulas are read and written without knowing ops',
    ),
    within(
      'ir-depends-on-leaves-only',
      'ir',
      'dsl|trace|compiler|codegen|runtime|weights|testing|report|cli',
      'the IR knows nothing of its users',
    ),
    within(
      'dsl-and-trace',
      '(dsl|trace)',
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
    within('report-is-not-the-command-line', 'report', 'cli', 'reports are printed by whoever wants them'),
    within(
      'weights-are-data',
      'weights',
      'dsl|trace|compiler|codegen|runtime|testing|report|cli',
      'weights are read into plain arrays',
    ),
    {
      name: 'ts-morph-only-in-codegen',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/codegen/' },
      to: { path: 'ts-morph' },
    },
    {
      name: 'gpu.js-private-parts-in-one-folder',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/runtime/gpujs/' },
      to: { path: 'gpu\\.js' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  },
};
