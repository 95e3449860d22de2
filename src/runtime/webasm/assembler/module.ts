import { type Code, integer, type Local, unsigned, type Value, type ValueType } from './code.ts';
import type { Assignable } from './instructions.ts';

type Types = readonly ValueType[];
type Locals<P extends Types> = { readonly [I in keyof P]: Local<P[I]> };
type Arguments<P extends Types> = { readonly [I in keyof P]: Assignable<P[I]> };

/** A function of a module, without a result. */
export interface WasmFunction<P extends Types> {
  /** The statement that calls it. */
  readonly call: (...args: Arguments<P>) => Code;
}

/** Makes a local of the function that is being defined. */
export type NewLocal = <T extends ValueType>(type: T) => Local<T>;

export interface MemoryImport {
  readonly maximumPages: number;
  readonly shared: boolean;
}

const TYPE_BYTES = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const satisfies Record<ValueType, number>;
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const [FUNCTION_TYPE, FUNCTION_END, LOCAL_GET, CALL] = [0x60, 0x0b, 0x20, 0x10];
const [EXPORT_FUNCTION, IMPORT_MEMORY] = [0, 2];
const MAGIC_AND_VERSION = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

interface Definition {
  readonly params: Types;
  readonly locals: Types;
  readonly body: Code;
  readonly exportAs: string | undefined;
}

/** A WebAssembly module over an imported memory, put together from functions. */
export class WasmModule {
  readonly #functions: Definition[] = [];

  /** Adds a function; `body` gets its parameters as locals and may ask for more. Exported where it has a name. */
  define<const P extends Types>(
    params: P,
    body: (local: NewLocal, ...params: Locals<P>) => Code,
    exportAs?: string,
  ): WasmFunction<P> {
    const locals: ValueType[] = [];
    const at = <T extends ValueType>(type: T, index: number): Local<T> => ({
      type,
      index,
      code: [LOCAL_GET, unsigned(index)],
    });
    const newLocal: NewLocal = (type) => at(type, params.length + locals.push(type) - 1);
    const code = body(newLocal, ...(params.map(at) as unknown as Locals<P>));
    const index = this.#functions.push({ params, locals, body: code, exportAs }) - 1;
    return {
      call: (...args) => [(args as readonly (Value | number)[]).map(argument), CALL, unsigned(index)],
    };
  }

  /** The module, which imports `env.memory`. */
  bytes({ maximumPages, shared }: MemoryImport): Uint8Array<ArrayBuffer> {
    const functions = this.#functions;
    const limits = [shared ? 3 : 1, unsigned(1), unsigned(maximumPages)];
    const exported = functions.flatMap(({ exportAs }, index) =>
      exportAs === undefined ? [] : [[text(exportAs), EXPORT_FUNCTION, unsigned(index)]],
    );
    const code: Code = [
      MAGIC_AND_VERSION,
      section(
        SECTION.type,
        functions.map(({ params }) => [FUNCTION_TYPE, vector(params.map((type) => TYPE_BYTES[type])), 0]),
      ),
      section(SECTION.import, [[text('env'), text('memory'), IMPORT_MEMORY, limits]]),
      section(
        SECTION.function,
        functions.map((_, type) => unsigned(type)),
      ),
      section(SECTION.export, exported),
      section(
        SECTION.code,
        functions.map(({ locals, body }) =>
          sized([vector(locals.map((type) => [1, TYPE_BYTES[type]])), body, FUNCTION_END]),
        ),
      ),
    ];
    return Uint8Array.from(flat(code));
  }
}

const flat = (code: Code): number[] => (code as readonly number[]).flat(Number.POSITIVE_INFINITY) as number[];
const vector = (items: Code): Code => [unsigned(items.length), items];
const sized = (code: Code): Code => {
  const bytes = flat(code);
  return [unsigned(bytes.length), bytes];
};
const section = (id: number, items: Code): Code => [id, sized(vector(items))];
const text = (name: string): Code => vector([...new TextEncoder().encode(name)]);
const argument = (value: Value | number): Code => (typeof value === 'number' ? integer(value) : value.code);
