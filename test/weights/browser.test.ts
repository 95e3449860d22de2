import { expect, it } from 'vitest';
import { UnsupportedError } from '../../src/errors.ts';
import * as browser from '../../src/weights/browser.ts';
import * as data from '../../src/weights/data.ts';
import * as node from '../../src/weights/index.ts';

it('offers the same names in a browser as in Node', () => {
  expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
});

it.each(Object.keys(node).filter((name) => !(name in data)))(
  '%s says in a browser that there are no files, and what to do instead',
  (name) => {
    const functions = browser as unknown as Readonly<Record<string, (path: string) => never>>;
    const call = () => functions[name]?.('some.file');
    expect(call).toThrow(UnsupportedError);
    expect(call).toThrow(new RegExp(`^${name}: .* some.file .*(Fetch|Use) `));
  },
);
