import { UnsupportedError, UserError } from '../errors.ts';
import { reportSection } from './report-section.ts';

type Json = Readonly<Record<string, unknown>>;

interface Faults {
  /** Values that make no sense. */
  readonly wrong: string[];
  /** Values that are meaningful, but not to this version. */
  readonly unsupported: string[];
}

/**
 * Fields of a JSON object. Every reader returns a usable value and takes down what was wrong, so that a person sees
 * one complete report in the end.
 */
export class ConfigFields {
  protected readonly faults: Faults;
  private readonly json: Json;
  /** What comes before a field's name in messages. */
  private readonly path: string;

  constructor(json: Json, path: string, faults: Faults) {
    this.json = json;
    this.path = path;
    this.faults = faults;
  }

  /** The value of a field; undefined when it is absent or null. */
  raw(name: string): unknown {
    return Object.hasOwn(this.json, name) ? (this.json[name] ?? undefined) : undefined;
  }

  /** The fields of an object in a field; empty where there is none. */
  group(name: string): ConfigFields {
    const value = this.raw(name) ?? {};
    if (!isObject(value)) this.reject(name, `expected an object, got ${show(value)}`);
    return new ConfigFields(isObject(value) ? value : {}, `${this.path}${name}.`, this.faults);
  }

  /** A positive integer. */
  integer(name: string, absent?: number): number {
    return this.numberThat(name, 'a positive integer', absent, (x) => Number.isSafeInteger(x) && x > 0);
  }

  /** A positive number. */
  number(name: string, absent?: number): number {
    return this.numberThat(name, 'a positive number', absent, (x) => Number.isFinite(x) && x > 0);
  }

  boolean(name: string, absent: boolean): boolean {
    const value = this.raw(name) ?? absent;
    if (typeof value === 'boolean') return value;
    this.reject(name, `expected true or false, got ${show(value)}`);
    return absent;
  }

  /** One of the names that `choices` has; the value there. */
  choice<Choices extends Readonly<Record<string, unknown>>>(
    name: string,
    choices: Choices,
    absent: keyof Choices & string,
  ): Choices[keyof Choices] {
    const value = this.raw(name) ?? absent;
    if (typeof value === 'string' && Object.hasOwn(choices, value))
      return choices[value] as Choices[keyof Choices];
    this.refuse(name, `${show(value)} is not supported; supported: ${Object.keys(choices).join(', ')}`);
    return choices[absent];
  }

  /** A field that, where present, must have one of these values. */
  only(name: string, values: readonly unknown[], why: string): void {
    const value = this.raw(name);
    if (value !== undefined && !values.includes(value))
      this.refuse(name, `${show(value)} is not supported: ${why}`);
  }

  /** Reports a field whose value is meaningful, but not supported. */
  refuse(name: string, message: string): void {
    this.faults.unsupported.push(`${this.path}${name}: ${message}`);
  }

  /** Reports a field whose value makes no sense. */
  reject(name: string, message: string): void {
    this.faults.wrong.push(`${this.path}${name}: ${message}`);
  }

  private numberThat(
    name: string,
    expected: string,
    absent: number | undefined,
    holds: (value: number) => boolean,
  ): number {
    const value = this.raw(name) ?? absent;
    if (typeof value === 'number' && holds(value)) return value;
    this.reject(name, `expected ${expected}, got ${value === undefined ? 'nothing' : show(value)}`);
    return absent ?? 1;
  }
}

/** Reads the parsed `config.json` of a checkpoint, or another of its JSON files. Call {@link finish} before using what was read. */
export class ConfigReader extends ConfigFields {
  private readonly file: string;

  /** @throws UserError when `json` is not an object, or its `model_type` is none of `modelTypes` (undefined: any, or none) */
  constructor(json: unknown, modelTypes: readonly string[] | undefined, file = 'config.json') {
    if (!isObject(json)) throw new UserError(`${file}: expected a JSON object`);
    super(json, '', { wrong: [], unsupported: [] });
    this.file = file;
    const type = this.raw('model_type');
    if (modelTypes && !(typeof type === 'string' && modelTypes.includes(type)))
      throw new UserError(
        `${file}: model_type is ${show(type)}, this model takes ${modelTypes.map(show).join(' or ')}`,
      );
    if (this.raw('quantization_config') !== undefined)
      this.refuse('quantization_config', 'quantised weights are not read; use the checkpoint without');
  }

  /** @throws UserError (UnsupportedError where nothing is wrong, but something unsupported) with every fault there is */
  finish(): void {
    const { wrong, unsupported } = this.faults;
    if (wrong.length + unsupported.length === 0) return;
    const sections = [reportSection('wrong', wrong), reportSection('not supported', unsupported)];
    const message = `${this.file} cannot be used\n${sections.filter((text) => text !== '').join('\n')}`;
    throw wrong.length > 0 ? new UserError(message) : new UnsupportedError(message);
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const show = (value: unknown): string => JSON.stringify(value) ?? 'absent';
