import { SPINS, WORD } from './control.ts';

/**
 * The program of a worker, in Node and in browsers. A text and not a function, because tools that bundle, minify or
 * transform functions let them refer to what a worker does not have.
 *
 * Messages bring the memories and the programs. A worker that waits for jobs never reads its messages, so it goes back to
 * them when there are programs that it does not know yet: their messages are on the way.
 */
export const WORKER_SOURCE = `'use strict';
const node = typeof require === 'function' ? require('node:worker_threads') : undefined;
const programs = [];
let control, memory, workspace;

function receive(message) {
  if (message.control) ({ control, memory, workspace } = message);
  else programs[message.id] = instantiate(message.module);
  serve();
}

function instantiate(module) {
  const env = { memory };
  for (const { name, kind } of WebAssembly.Module.imports(module)) {
    if (kind === 'function') env[name] = Math[name.slice('math_'.length)];
  }
  return new WebAssembly.Instance(module, { env }).exports.run;
}

function serve() {
  for (;;) {
    const generation = Atomics.load(control, ${WORD.generation});
    Atomics.add(control, ${WORD.active}, 1);
    const open = Atomics.load(control, ${WORD.open});
    // Read after that: the program of an open job is among them.
    const known = programs.length === Atomics.load(control, ${WORD.programs});
    if (open && known) work(programs[control[${WORD.program}]]);
    if (Atomics.sub(control, ${WORD.active}, 1) === 1) Atomics.notify(control, ${WORD.active});
    if (!known) return;
    for (let i = 0; i < ${SPINS} && Atomics.load(control, ${WORD.generation}) === generation; i++);
    Atomics.wait(control, ${WORD.generation}, generation);
  }
}

function work(run) {
  const args = Array.from(control.subarray(${WORD.firstArgument}, ${WORD.firstArgument} + control[${WORD.argumentCount}]));
  const [parts, cut, begin, end, step] = control.subarray(${WORD.parts}, ${WORD.step} + 1);
  try {
    for (;;) {
      const part = Atomics.add(control, ${WORD.next}, 1);
      if (part >= parts) return;
      args[cut] = begin + part * step;
      args[cut + 1] = Math.min(end, args[cut] + step);
      run(...args, workspace);
      Atomics.add(control, ${WORD.helped}, 1);
    }
  } catch {
    Atomics.store(control, ${WORD.failed}, 1);
  }
}

if (node) node.parentPort.on('message', receive);
else onmessage = ({ data }) => receive(data);
`;
