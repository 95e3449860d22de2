import { UserError } from '../../errors.ts';
import type { CostModel, FitError, KernelRates, Weights } from './cost-model.ts';
import { KERNEL_CLASSES, type KernelClass } from './kernel-class.ts';

const BACKENDS = ['webgpu', 'webasm', 'cpu'] as const satisfies readonly CostModel['backend'][];
const VERSION = 1;

/**
 * Checks a parsed cost model, as `autochunk tune` writes it. What it does not know, such as samples, it leaves out.
 *
 * @param file name for messages
 * @throws UserError with everything that is wrong in one report
 */
export function readCostModel(json: unknown, file = 'cost model'): CostModel {
  const faults: string[] = [];
  const top = fieldsOf(json, '', faults);
  const version = top.value('version');
  if (faults.length === 0 && version !== VERSION) {
    throw new UserError(
      `${file}: expected a cost model of version ${VERSION}, got ${show(version)}; make one with \`autochunk tune --out FILE\``,
    );
  }
  const kernels = top.group('kernels');
  const fit = top.has('fit') ? fitOf(top.group('fit')) : undefined;
  const model: CostModel = {
    version: VERSION,
    backend: top.choice('backend', BACKENDS),
    adapter: top.text('adapter'),
    source: top.choice('source', ['fitted', 'assumed']),
    note: top.text('note'),
    kernels: byClass((kind) => ratesOf(kernels.group(kind))),
    moduleSeconds: top.number('moduleSeconds', 0),
    weights: weightsOf(top.group('weights')),
    ...(fit ? { fit } : {}),
  };
  if (faults.length === 0) return model;
  throw new UserError(
    `${file} is not a cost model:\n${faults.map((fault) => `  ${fault}`).join('\n')}\nMake one with \`autochunk tune --out FILE\`.`,
  );
}

const byClass = <T>(of: (kind: KernelClass) => T): Record<KernelClass, T> =>
  Object.fromEntries(KERNEL_CLASSES.map((kind) => [kind, of(kind)])) as Record<KernelClass, T>;

const ratesOf = (fields: Fields): KernelRates => ({
  dispatchSeconds: fields.positive('dispatchSeconds'),
  flopsPerSecond: fields.positive('flopsPerSecond'),
  bytesPerSecond: fields.positive('bytesPerSecond'),
  halfElements: fields.number('halfElements', 0),
  halfRow: fields.number('halfRow', 0),
});

const weightsOf = (fields: Fields): Weights => ({
  nodes: fields.positive('nodes'),
  flops: fields.positive('flops'),
  density: fields.positive('density'),
  stride: fields.positive('stride'),
  saturation: fields.positive('saturation'),
});

function fitOf(fields: Fields): NonNullable<CostModel['fit']> {
  const kernels = fields.group('kernels');
  return {
    kernels: byClass((kind) => errorOf(kernels.group(kind))),
    weights: errorOf(fields.group('weights')),
    slowdowns: errorOf(fields.group('slowdowns')),
  };
}

const errorOf = (fields: Fields): FitError => ({
  samples: fields.number('samples', 0),
  medianError: fields.number('medianError', 0),
  rSquared: fields.number('rSquared', Number.NEGATIVE_INFINITY),
});

interface Fields {
  has(name: string): boolean;
  value(name: string): unknown;
  /** The fields of an object; where there is none the fault is taken down once. */
  group(name: string): Fields;
  text(name: string): string;
  choice<T extends string>(name: string, choices: readonly T[]): T;
  positive(name: string): number;
  /** A finite number that is `least` or more. */
  number(name: string, least: number): number;
}

function fieldsOf(json: unknown, path: string, faults: string[]): Fields {
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
  if (!isObject) faults.push(`${path === '' ? 'the file' : path}: expected an object, got ${show(json)}`);
  const object = (isObject ? json : {}) as Readonly<Record<string, unknown>>;
  const has = (name: string): boolean => Object.hasOwn(object, name);
  const value = (name: string): unknown => (has(name) ? object[name] : undefined);
  const reject = (name: string, expected: string): void => {
    if (isObject)
      faults.push(`${path}${path === '' ? '' : '.'}${name}: expected ${expected}, got ${show(value(name))}`);
  };
  const number = (name: string, expected: string, fits: (x: number) => boolean): number => {
    const found = value(name);
    if (typeof found === 'number' && Number.isFinite(found) && fits(found)) return found;
    reject(name, expected);
    return 1;
  };
  return {
    has,
    value,
    group: (name) => fieldsOf(value(name), path === '' ? name : `${path}.${name}`, isObject ? faults : []),
    text(name) {
      const found = value(name);
      if (typeof found === 'string') return found;
      reject(name, 'a text');
      return '';
    },
    choice(name, choices) {
      const found = choices.find((choice) => choice === value(name));
      if (found !== undefined) return found;
      reject(name, choices.join(' or '));
      return choices[0] as (typeof choices)[number];
    },
    positive: (name) => number(name, 'a positive number', (x) => x > 0),
    number: (name, least) =>
      number(name, Number.isFinite(least) ? `a number from ${least} on` : 'a number', (x) => x >= least),
  };
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
