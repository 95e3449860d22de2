import type { CostModel, FitError } from '../compiler/cost/cost-model.ts';
import type { WeightSample } from '../compiler/cost/fit/fit-weights.ts';
import { KERNEL_CLASSES, type KernelClass } from '../compiler/cost/kernel-class.ts';
import { callSeconds } from '../compiler/cost/seconds.ts';
import { formatMs, formatPercent, formatSlowdown, formatTable } from './format.ts';

/** What `autochunk tune` writes: the cost model, and what it was fitted to. */
export interface TuneReport extends CostModel {
  readonly samples: {
    /** Seconds are those of one call. */
    readonly kernels: readonly {
      readonly kind: KernelClass;
      readonly op: string;
      readonly shapes: readonly (readonly number[])[];
      readonly chunks: number;
      readonly passes: number;
      readonly flops: number;
      readonly bytes: number;
      readonly elements: number;
      readonly row: number;
      readonly seconds: number;
    }[];
    readonly plans: readonly (WeightSample & {
      readonly model: string;
      readonly loops: readonly string[];
      readonly predictedSlowdown: number;
    })[];
  };
}

/** The fit for the terminal: every sample beside its prediction, then what was made of them. */
export function describeTuning(report: TuneReport): string {
  const { kernels, weights, fit, samples } = report;
  const kernelRows = samples.kernels.map((sample) => [
    sample.kind,
    `${sample.op} ${sample.shapes.map((shape) => `[${shape.join(', ')}]`).join(' ')}`,
    duration(sample.seconds),
    duration(callSeconds(sample, kernels[sample.kind])),
  ]);
  const planRows = samples.plans.map(({ model, loops, seconds, unchunkedSeconds, predictedSlowdown }) => [
    model,
    loops.join(', '),
    formatMs(1000 * unchunkedSeconds),
    formatMs(1000 * seconds),
    formatSlowdown(seconds / unchunkedSeconds - 1),
    formatSlowdown(predictedSlowdown),
  ]);
  const rateRows = KERNEL_CLASSES.map((kind) => {
    const rates = kernels[kind];
    return [
      kind,
      duration(rates.dispatchSeconds),
      figure(rates.flopsPerSecond / 1e9),
      figure(rates.bytesPerSecond / 1e9),
      figure(rates.halfElements),
      figure(rates.halfRow),
      ...(fit ? errorCells(fit.kernels[kind]) : []),
    ];
  });
  const weightRow = [weights.nodes, weights.flops, weights.density, weights.stride, weights.saturation];
  return `${[
    `${report.backend} (${report.adapter}): ${report.note}`,
    '',
    ...formatTable([['kernels', '', 'measured', 'predicted'], ...kernelRows], [2, 3]),
    '',
    ...formatTable(
      [['plans', 'loops', 'unchunked', 'chunked', 'slowdown', 'predicted'], ...planRows],
      [2, 3, 4, 5],
    ),
    '',
    ...formatTable(
      [
        ['rates', 'dispatch', 'GFLOP/s', 'GB/s', 'half at', 'in rows of', 'samples', 'median error', 'R²'],
        ...rateRows,
      ],
      [1, 2, 3, 4, 5, 6, 7, 8],
    ),
    '',
    ...formatTable(
      [
        ['weights', 'α nodes', 'β flops', 'γ density', 'λ stride', 'saturation', 'around a call'],
        ['', ...weightRow.map(figure), duration(report.moduleSeconds)],
      ],
      [1, 2, 3, 4, 5, 6],
    ),
    ...(fit
      ? [
          '',
          ...formatTable(
            [
              ['slowdowns of plans', 'samples', 'median difference', 'R²'],
              ['predicted time', ...errorCells(fit.slowdowns)],
              ['L', ...errorCells(fit.weights)],
            ],
            [1, 2, 3],
          ),
        ]
      : []),
  ].join('\n')}\n`;
}

const errorCells = ({ samples, medianError, rSquared }: FitError): string[] => [
  `${samples}`,
  formatPercent(medianError),
  rSquared.toFixed(3),
];

const figure = (value: number): string => `${Number(value.toPrecision(3))}`;

/** `6.1 µs`, `12.3 ms`. */
const duration = (seconds: number): string =>
  seconds < 1e-3 ? `${(seconds * 1e6).toFixed(1)} µs` : formatMs(seconds * 1000);
