import type { Command } from 'commander';
import { UserError } from '../errors.ts';
import { describeMachine } from '../report/bench.ts';
import { describeTuning, type TuneReport } from '../report/tune.ts';
import { observeMachine } from './bench-machine.ts';
import { green, type Io, printJson, progress } from './io.ts';
import { displayPath } from './load-module.ts';
import { parseBackend } from './options.ts';
import { tuneDevice } from './tune/tune-device.ts';
import { writeFileAtomically } from './write-file.ts';

interface TuneFlags {
  readonly backend: string;
  readonly out?: string;
  readonly quick?: true;
  readonly note?: string;
  readonly json?: true;
}

export function addTune(program: Command, io: Io): void {
  program
    .command('tune')
    .description(
      'Measure kernels and chunked plans on this device and fit the cost model to them: predicted times, and which loops are cheap.',
    )
    .option('--backend <name>', 'webgpu, webasm, cpu or auto', 'auto')
    .option('--out <file>', 'write the cost model, for --cost-model of the other commands')
    .option(
      '--quick',
      'fewer and shorter measurements: seconds instead of a minute or two, and a coarser fit',
    )
    .option('--note <text>', 'a remark about the run, kept in the cost model')
    .option('--json', 'print one JSON document on stdout')
    .addHelpText(
      'after',
      `
Examples:
  autochunk tune --out laptop.json
  autochunk compile models/llama/model.ts --dims N=512 --budget 20% --cost-model laptop.json`,
    )
    .action((flags: TuneFlags) => tune(flags, io));
}

async function tune(flags: TuneFlags, io: Io): Promise<void> {
  if (flags.out === '') throw new UserError('--out: expected a file name', { exitCode: 2 });
  const backend = parseBackend(flags.backend);
  const machine = observeMachine();
  const { costModel, kernels, plans } = await tuneDevice({
    backend,
    quick: flags.quick === true,
    note: flags.note ?? '',
    onProgress: (text) => progress(io, text),
  });
  const seen = describeMachine(machine());
  const report: TuneReport = {
    ...costModel,
    note: flags.note === undefined ? seen : `${flags.note}; ${seen}`,
    samples: {
      kernels: kernels.map((sample) => ({ ...sample, seconds: rounded(sample.seconds) })),
      plans: plans.map(({ model, loops, terms, unchunkedSeconds, seconds, predicted }) => ({
        model,
        loops,
        terms,
        unchunkedSeconds: rounded(unchunkedSeconds),
        seconds: rounded(seconds),
        predictedSlowdown: rounded(predicted),
      })),
    },
  };
  if (flags.out !== undefined) writeFileAtomically(flags.out, `${JSON.stringify(report, null, 1)}\n`);
  if (flags.json) printJson(io, report);
  else {
    io.stdout(describeTuning(report));
    if (flags.out !== undefined) io.stdout(`${green(io, 'wrote')} ${displayPath(flags.out)}\n`);
  }
}

const rounded = (value: number): number => Number(value.toPrecision(4));
