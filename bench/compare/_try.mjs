import { register } from 'tsx/esm/api';
register({ tsconfig: false });
const { enableRelaxedSimd } = await import('../../dist/cli/device-options.js');
enableRelaxedSimd();
const { CASES } = await import('./cases.ts');
const { trace, planGraph, generate, unchunkedPlan } = await import('autochunk');
const { specialise } = await import('../../dist/compiler/specialise.js');
const { randomData } = await import('../../dist/testing/random.js');
const { Session } = await import('../../dist/cli/session.js');
const { signatureOf } = await import('../../dist/cli/signature.js');
const { openOrt } = await import('./ort.mjs');
const { openTfjs } = await import('./tfjs.mjs');
const { openJax } = await import('./jax.mjs');
for (const name of process.argv.slice(2)) {
  const c = CASES.find((x) => x.name === name);
  const graph = specialise(trace(c.model), c.dims);
  const data = randomData(graph, 1);
  const plan = planGraph(trace(c.model), { dims: c.dims, budget: '100%', backend: 'webasm' });
  const t0 = performance.now();
  const session = await Session.open({ backend: 'webasm' }, await generate(unchunkedPlan(plan)), signatureOf(graph), data);
  const contestants = { autochunk: { run: async () => Object.fromEntries(Object.entries((await session.run()).outputs).map(([n, o]) => [n, o.data])) } };
  for (const a of (process.env.FORMS ?? 'ops').split(',')) contestants[a] = await (a === 'tfjs' ? openTfjs(graph, data) : a === 'jax' ? openJax(graph, data) : openOrt(graph, data, a));
  let ref;
  const times = {};
  for (let r = 0; r < Number(process.env.R ?? 4); r++) for (const [n, k] of Object.entries(contestants)) {
    const s = performance.now();
    let out; try { out = await k.run(); } catch (e) { console.log(n, e.stack.slice(0,1200)); delete contestants[n]; continue; }
    (times[n] ??= []).push(performance.now() - s);
    if (n === 'autochunk') ref = out; else if (r === 0) for (const o in ref) { let m = 0, M = 0; ref[o].forEach((v, i) => { m = Math.max(m, Math.abs(v - out[o][i])); M = Math.max(M, Math.abs(v)); }); console.log(n, o, 'max diff', m, 'max', M); }
  }
  if (process.env.PROFILE) {
    const p = session.device.profile(); const s = performance.now(); await session.run(); const total = performance.now() - s; const { traceEvents } = await p.stop();
    const by = {}; for (const e of traceEvents) if (e.tid === 2 && e.ph === 'X') { const k = e.name + ' ' + (e.args.shape ?? ''); (by[k] ??= { n: 0, ms: 0 }).n++; by[k].ms += e.dur / 1000; }
    console.log('profile, total', total.toFixed(0), 'ms');
    for (const [k, v] of Object.entries(by).sort((a, b) => b[1].ms - a[1].ms).slice(0, 14)) console.log('  ', v.ms.toFixed(1).padStart(8), 'ms', String(v.n).padStart(4), '×', k);
  }
  console.log(name, Object.fromEntries(Object.entries(times).map(([n, t]) => [n, t.map((x) => Math.round(x)).join(' ')])));
}
process.exit(0);
