/** Text that comes from models and weight files, made safe for the places of a module where it appears. */

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
/** Control and format characters (line separators, bidirectional overrides …): they could change what a line says. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

const escapeCharacter = (character: string): string => {
  const code = character.codePointAt(0) as number;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
};

/** A string literal in single quotes. */
export const literal = (text: string): string =>
  `'${text.replace(/[\\']/g, '\\$&').replace(/\n/g, '\\n').replace(UNPRINTABLE, escapeCharacter)}'`;

/** Text inside a comment: one line, and unable to close it. */
export const comment = (text: string): string =>
  text.replace(UNPRINTABLE, escapeCharacter).replaceAll('*/', '*\\/');

/** A key of an object literal. `__proto__` is computed: written plainly it would set the prototype. */
export const objectKey = (key: string): string =>
  key === '__proto__' ? "['__proto__']" : IDENTIFIER.test(key) ? key : literal(key);

/** A member name in an interface. */
export const memberName = (key: string): string => (IDENTIFIER.test(key) ? key : literal(key));

/** Reading a property: `params.wte`, `k['odd name']`. */
export const property = (object: string, key: string): string =>
  IDENTIFIER.test(key) ? `${object}.${key}` : `${object}[${literal(key)}]`;

/** A number as JavaScript writes it; -0 keeps its sign. */
export const numberLiteral = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
