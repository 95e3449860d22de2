import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { BudgetError } from '../compiler/budget.ts';
import { InternalError, UserError } from '../errors.ts';
import { ShapeError } from '../ir/ops/op.ts';
import { addBench } from './bench.ts';
import { addCompile } from './compile.ts';
import { addExplain } from './explain.ts';
import { addInspect } from './inspect.ts';
import { CommandFailed, Interrupted, type Io, printJson, red } from './io.ts';
import { addMaxLength } from './maxlen.ts';
import { addRun } from './run.ts';
import { addTune } from './tune.ts';
import { addVerify } from './verify.ts';

/** 0: done. 1: understood, and failed. 2: bad usage. 130: ended by Ctrl-C. */
export type ExitCode = 0 | 1 | 2 | 130;

/** The whole command line. Never throws and never exits: faults are printed and returned as an exit code. */
export async function runCli(argv: readonly string[], io: Io): Promise<ExitCode> {
  const json = argv.includes('--json');
  const program = createProgram(io, json);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    return report(error, io, json);
  }
}

function createProgram(io: Io, json: boolean): Command {
  const program = new Command('autochunk');
  const errors = (text: string): void => {
    // In --json mode commander's message is part of the JSON document; its usage text still helps on stderr.
    io.stderr(text);
  };
  program
    .description(
      'Compiles tensor models into chunked TypeScript modules that fit an activation memory budget.',
    )
    .version(version(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: json ? io.stderr : io.stdout,
      writeErr: errors,
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText(
      'after',
      '\nRun `autochunk <command> --help` for the options and an example of each command.',
    );
  addCompile(program, io);
  addRun(program, io);
  addInspect(program, io);
  addExplain(program, io);
  addMaxLength(program, io);
  addVerify(program, io);
  addBench(program, io);
  addTune(program, io);
  return program;
}

/** The version in package.json. */
export function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

function report(error: unknown, io: Io, json: boolean): ExitCode {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  if (error instanceof Interrupted) {
    io.stderr('interrupted\n');
    return 130;
  }
  if (error instanceof CommandFailed) {
    io.stderr(`${red(io, 'error:')} ${error.message}\n`);
    return 1;
  }
  const fault = classify(error);
  if (!fault.printed) io.stderr(`${red(io, 'error:')} ${fault.message}\n`);
  if (json) {
    const { kind, message, exitCode } = fault;
    printJson(io, { error: { kind, message, exitCode, ...fault.facts } });
  }
  return fault.exitCode;
}

interface Fault {
  readonly kind: string;
  readonly message: string;
  readonly exitCode: 1 | 2;
  /** Commander has already written its own message. */
  readonly printed: boolean;
  /** More fields for the JSON document. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

function classify(error: unknown): Fault {
  if (error instanceof CommanderError) {
    const message =
      error.code === 'commander.help' ? 'no command given' : error.message.replace(/^error: /, '');
    return { kind: 'UsageError', message, exitCode: 2, printed: true };
  }
  if (error instanceof BudgetError) {
    const { name, message, budgetBytes, smallestPeakBytes, alive } = error;
    const facts = { budgetBytes, smallestPeakBytes, alive };
    return { kind: name, message, exitCode: error.exitCode, printed: false, facts };
  }
  if (error instanceof UserError) {
    return { kind: error.name, message: error.message, exitCode: error.exitCode, printed: false };
  }
  if (error instanceof ShapeError)
    return { kind: error.name, message: error.message, exitCode: 1, printed: false };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const kind = error instanceof InternalError ? error.name : 'UnexpectedError';
  return {
    kind,
    message: `${text}\nThis is a defect in autochunk; please report it.`,
    exitCode: 1,
    printed: false,
  };
}
