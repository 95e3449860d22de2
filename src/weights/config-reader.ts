import { UnsupportedError, UserError } from '../errors.ts';
import { reportSection } from './report-section.ts';

/**
 * Reads the fields of a checkpoint's `config.json` and collects everything wrong with them, so that a person sees one
 * complete report. Every reader returns a usable value; `finish` throws if any of them was made up.
 */
export class ConfigReader {
  private readonly json: Readonly<Record<string, unknown>>;
  private readonly file: string;
  private readonly wrong: string[] = [];
  private readonly unsupported: string[] = [];

  /** @throws UserError when `json` is not an object, or its `model_type` is none of `modelTypes` */
  constructor(json: unknown, modelTypes: readonly string[], file = 'config.json') {
    this.file = file;
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new UserError(`${file}: expected a JSON object`);
    this.json = json as Readonly<Record<string, unknown>>;
    const type = this.json.model_type;
    if (typeof type !== 'string' || !modelTypes.includes(type))
      throw new UserError(
        `${file}: model_type is ${show(type)}, this model takes ${modelTypes.map(show).join(' or ')}`,
      );
    this.only(
      'quantization_config',
      [null],
      'quantised weights are not read; use the unquantised checkpoint',
    );
  }

  /** The value of a field; undefined when it is absent or null. */
  raw(name: string): unknown {
    return Object.hasOwn(this.json, name) ? (this.json[name] ?? undefined) : undefined;
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
    this.wrong.push(`${name}: expected true or false, got ${show(value)}`);
    return absent;
  }

  /** One of the names that `choices` has; the value there. */
  choice<Value>(name: string, choices: Readonly<Record<string, Value>>, absent: string): Value {
    const value = this.raw(name) ?? absent;
    if (typeof value === 'string' && Object.hasOwn(choices, value)) return choices[value] as Value;
    this.refuse(name, `${show(value)} is not supported; supported: ${Object.keys(choices).join(', ')}`);
    return choices[absent] as Value;
  }

  /** A field that, where present, must have one of these values. */
  only(name: string, values: readonly unknown[], why: string): void {
    const value = this.raw(name);
    if (value !== undefined && !values.includes(value))
      this.refuse(name, `${show(value)} is not supported: ${why}`);
  }

  /** Reports a field whose value is meaningful, but not supported. */
  refuse(name: string, message: string): void {
    this.unsupported.push(`${name}: ${message}`);
  }

  /** Reports a field whose value makes no sense. */
  reject(name: string, message: string): void {
    this.wrong.push(`${name}: ${message}`);
  }

  /** @throws UserError (UnsupportedError where nothing is wrong but something is unknown) with every fault found */
  finish(): void {
    if (this.wrong.length + this.unsupported.length === 0) return;
    const text = [reportSection('wrong', this.wrong), reportSection('not supported', this.unsupported)]
      .filter((section) => section !== '')
      .join('\n');
    const message = `${this.file} describes a model that cannot be built\n${text}`;
    throw this.wrong.length > 0 ? new UserError(message) : new UnsupportedError(message);
  }

  private numberThat(
    name: string,
    expected: string,
    absent: number | undefined,
    holds: (value: number) => boolean,
  ): number {
    const value = this.raw(name) ?? absent;
    if (typeof value === 'number' && holds(value)) return value;
    this.wrong.push(`${name}: expected ${expected}, got ${value === undefined ? 'nothing' : show(value)}`);
    return absent ?? 1;
  }
}

const show = (value: unknown): string => JSON.stringify(value) ?? 'absent';
