import { UserError } from '../errors.ts';
import { type Formula, INFIX, MOST_OPERANDS, SCALAR, type Sign } from './formula.ts';

/** Longer texts are refused: nothing that is read here may overflow the stack. */
const LONGEST = 1000;
const TOKEN = /\s*(?:(\d+(?:\.\d+)?(?:e[+-]?\d+)?)|([A-Za-z]\w*)|([-+*/(),:]))/y;

/**
 * Reads the text of a formula. What ops it names is for the caller to check.
 *
 * @throws UserError naming the formula, what was expected and what was got
 */
export function parseFormula(text: string): Formula {
  const parser = new Parser(text);
  const formula = parser.sum();
  parser.end();
  return typeof formula === 'number' ? parser.fail('an operand', 'a number alone') : formula;
}

type Parsed = Formula | number;

class Parser {
  readonly #text: string;
  #at = 0;
  /** The token that comes next; '' at the end. */
  #token = '';

  constructor(text: string) {
    this.#text = text;
    if (text.length > LONGEST) this.fail(`at most ${LONGEST} characters`, String(text.length));
    this.#next();
  }

  fail(expected: string, got = this.#token === '' ? 'the end' : `\`${this.#token}\``): never {
    const { length } = this.#text;
    const shown = length > 100 ? `${this.#text.slice(0, 100)}…` : this.#text;
    throw new UserError(`formula ${JSON.stringify(shown)}: expected ${expected}, got ${got}`);
  }

  end(): void {
    if (this.#token !== '') this.fail('an operator or the end');
  }

  sum(): Parsed {
    let left = this.#product();
    while (this.#token === '+' || this.#token === '-') left = this.#infix(left, this.#take() as Sign, 2);
    return left;
  }

  #product(): Parsed {
    let left = this.#factor();
    while (this.#token === '*' || this.#token === '/') left = this.#infix(left, this.#take() as Sign, 3);
    return left;
  }

  #infix(left: Parsed, sign: Sign, precedence: 2 | 3): Formula {
    const right = precedence === 2 ? this.#product() : this.#factor();
    const rule = INFIX[sign];
    if (typeof left !== 'number') {
      if (typeof right !== 'number') return { kind: 'op', op: rule.op, operands: [left, right], attrs: {} };
      const value = sign === '-' ? -right : right;
      return { kind: 'op', op: rule.right, operands: [left], attrs: { value } };
    }
    if (typeof right === 'number') this.fail('an operand', `numbers on both sides of ${sign}`);
    if (!('left' in rule)) this.fail('the number second', `a number before ${sign}`);
    return { kind: 'op', op: rule.left, operands: [right], attrs: { value: left } };
  }

  #factor(): Parsed {
    if (!this.#accept('-')) return this.#atom();
    const operand = this.#atom();
    return typeof operand === 'number' ? -operand : { kind: 'op', op: 'neg', operands: [operand], attrs: {} };
  }

  #atom(): Parsed {
    if (this.#accept('(')) {
      const inner = this.sum();
      if (typeof inner === 'number') this.fail('an operand', 'a number in parentheses');
      this.#expect(')');
      return inner;
    }
    if (/^\d/.test(this.#token)) return Number(this.#take());
    if (!/^[A-Za-z]/.test(this.#token)) this.fail('an operand, a number or an op');
    const name = this.#take();
    if (this.#token === '(') return this.#call(name);
    const index = name.length === 1 ? name.charCodeAt(0) - 97 : -1;
    if (index < 0 || index >= MOST_OPERANDS) {
      this.fail(`an operand from a to ${String.fromCharCode(96 + MOST_OPERANDS)}`, `\`${name}\``);
    }
    return { kind: 'operand', index };
  }

  /** `clamp(a, min: 0, max: 6)`, `pow(a, 2)` */
  #call(name: string): Formula {
    this.#expect('(');
    const operands: Formula[] = [];
    const attrs = new Map<string, number | boolean>();
    let value: number | undefined;
    do {
      const key = this.#key();
      if (key !== undefined) {
        if (attrs.has(key)) this.fail('every attribute once', `\`${key}\` again`);
        attrs.set(key, this.#value());
        continue;
      }
      const argument = this.sum();
      if (value !== undefined || attrs.size > 0)
        this.fail('operands before numbers', 'an argument after one');
      if (typeof argument === 'number') value = argument;
      else operands.push(argument);
    } while (this.#accept(','));
    this.#expect(')');
    if (value === undefined) return { kind: 'op', op: name, operands, attrs: Object.fromEntries(attrs) };
    if (attrs.size > 0) this.fail('a number or attributes', 'both');
    return { kind: 'op', op: name + SCALAR, operands, attrs: { value } };
  }

  /** The name before a colon, taken with it. */
  #key(): string | undefined {
    const key = this.#token;
    const colon = /\s*:/y;
    colon.lastIndex = this.#at;
    if (!/^[A-Za-z]/.test(key) || !colon.test(this.#text)) return undefined;
    this.#take();
    this.#expect(':');
    return key;
  }

  #value(): number | boolean {
    const sign = this.#accept('-') ? -1 : 1;
    if (/^\d/.test(this.#token)) return sign * Number(this.#take());
    if (sign === 1 && (this.#token === 'true' || this.#token === 'false')) return this.#take() === 'true';
    return this.fail('a number, true or false');
  }

  #accept(token: string): boolean {
    if (this.#token !== token) return false;
    this.#next();
    return true;
  }

  #expect(token: string): void {
    if (!this.#accept(token)) this.fail(`\`${token}\``);
  }

  #take(): string {
    const token = this.#token;
    this.#next();
    return token;
  }

  #next(): void {
    if (/^\s*$/.test(this.#text.slice(this.#at))) {
      this.#token = '';
      return;
    }
    TOKEN.lastIndex = this.#at;
    const found = TOKEN.exec(this.#text);
    if (!found) {
      this.#token = this.#text.slice(this.#at).trim().charAt(0);
      this.fail('a formula', `\`${this.#token}\``);
    }
    this.#at = TOKEN.lastIndex;
    this.#token = found[1] ?? found[2] ?? (found[3] as string);
  }
}
