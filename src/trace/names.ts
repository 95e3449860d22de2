/** Names of values: the author's variables where the source shows them, made unique and safe to generate code with. */
import { type CallSite, sourceLines } from './call-site.ts';

const RESERVED = new Set(
  `abstract arguments as async await boolean break byte case catch char class const continue debugger default delete
  do double else enum eval export extends false final finally float for function goto if implements import in
  instanceof int interface let long native new null of package private protected public return short static super
  switch synchronized this throw throws transient true try type typeof undefined var void volatile while with yield
  NaN Infinity Math Object Array Number Promise
  device inputs params k run info Device Inputs Params Outputs Tensor`.split(/\s+/),
);

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** Whether generated code can have the name as a property, as inputs do. */
export const isPropertyName = (name: string): boolean => IDENTIFIER.test(name) && name !== '__proto__';

/** Whether generated code can have the name as a variable. */
const isFreeIdentifier = (name: string): boolean => isPropertyName(name) && !RESERVED.has(name);

/** A valid identifier that resembles the text: `h.0.attn` → `h_0_attn`. */
export function identifierFrom(text: string): string {
  if (isFreeIdentifier(text)) return text;
  const name = text
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9_$]+/g, '_')
    .replace(/^_+(?=[A-Za-z])|_+$/g, '');
  if (name === '' || /^_*$/.test(name)) return 'value';
  if (/^[0-9]/.test(name)) return `_${name}`;
  return RESERVED.has(name) ? `${name}_` : name;
}

/** Hands out identifiers, each once: `scores`, `scores_1`, `scores_2`. */
export class NameSpace {
  readonly #taken = new Set<string>();
  readonly #next = new Map<string, number>();

  /** Takes exactly this name. */
  reserve(name: string): string {
    this.#taken.add(name);
    return name;
  }

  /** The name itself if it is free, else with the first free number. */
  claim(text: string): string {
    // The compiler names what it derives from a value with a $ behind its name.
    const base = identifierFrom(text).replaceAll('$', '_');
    let name = base;
    for (let n = this.#next.get(base) ?? 1; this.#taken.has(name); n++) {
      name = `${base}_${n}`;
      this.#next.set(base, n + 1);
    }
    this.#taken.add(name);
    return name;
  }
}

/** What the value of a call is called in the source: one variable, or the variables of a destructuring. */
export type VariableName = string | readonly string[] | undefined;

const cache = new WeakMap<CallSite, { readonly name: VariableName }>();

/** The variable that the call at `site` is assigned to, read from the source text; `undefined` when there is none. */
export function variableAt(site: CallSite): VariableName {
  let found = cache.get(site);
  if (!found) {
    found = { name: parseVariable(site) };
    cache.set(site, found);
  }
  return found.name;
}

/** Functions that return what their body returns: `const a = scope('mlp', () => ` and the like. */
const WRAPPERS = /(?:\b(?:scope|region|preferChunk|noChunk)\s*\((?:[^()]*,)?\s*(?:\(\s*\)\s*=>\s*)?)+$/;

function parseVariable(site: CallSite): VariableName {
  const lines = sourceLines(site.path);
  const line = lines?.[site.line - 1];
  if (!lines || line === undefined) return undefined;
  // The position must be that of a call; otherwise the source is not what runs.
  if (!/^(?:[\w$]+\s*\.\s*)*[\w$]+\s*[(<]/.test(line.slice(site.column - 1))) return undefined;
  const before = [...lines.slice(Math.max(0, site.line - 4), site.line - 1), line.slice(0, site.column - 1)]
    .map((text) => text.replace(/\/\/.*$/, ''))
    .join('\n')
    .replace(/(?:[\w$]+\s*\.\s*)+$/, '')
    .replace(WRAPPERS, '');
  const variable =
    /(?:^|[;{}\s(])(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*(?::[^;=]*)?=\s*$/.exec(before) ??
    /(?:^|[;{}\n])\s*([A-Za-z_$][\w$]*)\s*(?:\?\?|\|\|)?=\s*$/.exec(before) ??
    /[{,]\s*([A-Za-z_$][\w$]*)\s*:\s*$/.exec(before);
  if (variable) return variable[1];
  const pattern = /(?:const|let|var)\s*\[([^\]]*)\]\s*=\s*$/.exec(before);
  if (!pattern) return undefined;
  return (pattern[1] as string).split(',').map((name) => name.trim());
}
