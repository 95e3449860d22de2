#!/usr/bin/env node
/** Checks the imports of src against import-rules.mjs, and that values do not import one another in circles. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ts } from 'ts-morph';
import { rules } from './import-rules.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What a file imports: repository paths or package names, and whether each import is erased at run time. */
export function importsOf(path, text) {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (node, typeOnly) => {
    const name = node.text;
    found.push({ to: name.startsWith('.') ? posix.join(posix.dirname(path), name) : name, typeOnly });
  };
  const visit = (node) => {
    const specifier = node.moduleSpecifier;
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && specifier) {
      add(specifier, erased(node));
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      // A dynamic import runs later: it is an arrow, but closes no circle.
      if (ts.isStringLiteral(node.arguments[0])) add(node.arguments[0], true);
    } else if (ts.isImportTypeNode(node)) {
      add(node.argument.literal, true);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function erased(node) {
  if (ts.isExportDeclaration(node)) {
    const named =
      node.exportClause && ts.isNamedExports(node.exportClause) ? node.exportClause.elements : undefined;
    return node.isTypeOnly || named?.every((element) => element.isTypeOnly) === true;
  }
  const clause = node.importClause;
  if (!clause) return false;
  const named =
    clause.namedBindings && ts.isNamedImports(clause.namedBindings)
      ? clause.namedBindings.elements
      : undefined;
  return (
    clause.isTypeOnly || (!clause.name && named !== undefined && named.every((element) => element.isTypeOnly))
  );
}

/** Problems of a set of files (path → text), one line each. */
export function checkImports(files) {
  const problems = [];
  const values = new Map();
  for (const [path, text] of files) {
    const imports = importsOf(path, text);
    for (const { to } of imports) {
      for (const rule of rules) {
        if (rule.from.test(path) && rule.to.test(to)) {
          problems.push(`${path} imports ${to}: ${rule.name} (${rule.why})`);
        }
      }
    }
    values.set(
      path,
      imports.filter((entry) => !entry.typeOnly && files.has(entry.to)).map((entry) => entry.to),
    );
  }
  return [...problems, ...circles(values)];
}

function circles(values) {
  const found = [];
  const done = new Set();
  const visit = (path, trail) => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      found.push(`circular imports: ${[...trail.slice(start), path].join(' → ')}`);
      return;
    }
    if (done.has(path)) return;
    for (const next of values.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of values.keys()) visit(path, []);
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = new Map();
  for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    files.set(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8'));
  }
  const problems = checkImports(files);
  for (const problem of problems) console.error(`error: ${problem}`);
  console.log(`${files.size} files, ${problems.length} imports against the rules`);
  process.exitCode = problems.length > 0 || files.size === 0 ? 1 : 0;
}
