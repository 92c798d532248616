/**
 * Expressions to functions: literals, lists, names, calls, arithmetic, comparison, `and or not`, `in`, `matches`, `contains`,
 * `startsWith`, `endsWith`, `?:`, `??`. What a name means is given by who compiles; an unknown one is an error before anything
 * runs. No loops and no assignment: an expression ends.
 */
import { errorMessage } from "../../lib/errors.ts";
import { goRegExp } from "../corefile/go-regexp.ts";
import { ExpressionError, lexExpression, type ExpressionToken } from "./lex.ts";

export type Value = string | number | boolean | undefined | readonly Value[];

/** What a compiled expression is run with: the variables that were named. */
export type Scope = Readonly<Record<string, Value>>;

export interface Names<C> {
  readonly functions: Readonly<Record<string, (context: C, ...args: readonly Value[]) => Value>>;
  readonly variables: ReadonlySet<string>;
}

export type Run<C> = (context: C, scope: Scope) => Value;

export type Compiled<C> = { readonly kind: "ok"; readonly run: Run<C> } | { readonly kind: "error"; readonly reason: string };

/** Words that cannot name a variable. */
export const reservedWords: ReadonlySet<string> = new Set(
  "true false nil not and or in matches contains startsWith endsWith let if else len lower upper trim split all any none one filter map count".split(
    " ",
  ),
);

export function compileExpression<C>(text: string, names: Names<C>): Compiled<C> {
  try {
    const parser = new Parser(lexExpression(text), names);
    return { kind: "ok", run: parser.whole() };
  } catch (error) {
    if (error instanceof ExpressionError) return { kind: "error", reason: error.message };
    throw error;
  }
}

/** Operators by how strongly they bind, the weakest first. */
const levels: readonly (readonly string[])[] = [
  ["??"],
  ["||", "or"],
  ["&&", "and"],
  ["==", "!="],
  ["<", ">", "<=", ">=", "in", "matches", "contains", "startsWith", "endsWith"],
  ["+", "-"],
  ["*", "/", "%"],
  ["**"],
];

const maxDepth = 100;

class Parser<C> {
  readonly #tokens: readonly ExpressionToken[];
  readonly #names: Names<C>;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly ExpressionToken[], names: Names<C>) {
    this.#tokens = tokens;
    this.#names = names;
  }

  whole(): Run<C> {
    const run = this.#conditional();
    const left = this.#tokens[this.#at];
    if (left !== undefined) throw new ExpressionError(`unexpected ${JSON.stringify(left.value)}`);
    return run;
  }

  #is(word: string): boolean {
    const token = this.#tokens[this.#at];
    return (token?.kind === "operator" || token?.kind === "name") && token.value === word;
  }

  #takes(word: string): boolean {
    if (!this.#is(word)) return false;
    this.#at++;
    return true;
  }

  #expect(word: string): void {
    if (!this.#takes(word)) throw new ExpressionError(`expected ${JSON.stringify(word)}`);
  }

  #conditional(): Run<C> {
    if (++this.#depth > maxDepth) throw new ExpressionError("the expression is nested too deeply");
    const condition = this.#binary(0);
    if (!this.#takes("?")) return this.#leave(condition);
    const yes = this.#conditional();
    this.#expect(":");
    const no = this.#conditional();
    return this.#leave((context, scope) => (isTrue(condition(context, scope)) ? yes(context, scope) : no(context, scope)));
  }

  #leave(run: Run<C>): Run<C> {
    this.#depth--;
    return run;
  }

  #binary(level: number): Run<C> {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const negated = level === 4 && this.#is("not") && this.#tokens[this.#at + 1]?.value !== undefined;
      if (negated) this.#at++;
      const operator = operators.find((one) => this.#takes(one));
      if (operator === undefined) {
        if (negated) throw new ExpressionError('expected an operator after "not"');
        return left;
      }
      const combined = combine(operator, left, this.#binary(level + 1));
      left = negated ? (context, scope) => !isTrue(combined(context, scope)) : combined;
    }
  }

  #unary(): Run<C> {
    if (this.#takes("!") || this.#takes("not")) {
      const value = this.#unary();
      return (context, scope) => !isTrue(value(context, scope));
    }
    if (this.#takes("-")) {
      const value = this.#unary();
      return (context, scope) => -number(value(context, scope));
    }
    return this.#postfix(this.#primary());
  }

  #postfix(value: Run<C>): Run<C> {
    if (!this.#takes("[")) return value;
    const index = this.#conditional();
    this.#expect("]");
    return this.#postfix((context, scope) => element(value(context, scope), index(context, scope)));
  }

  #primary(): Run<C> {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new ExpressionError("the expression ends where a value was expected");
    if (token.kind === "number" || token.kind === "string") return () => token.value;
    if (token.kind === "name") return this.#named(token.value);
    if (token.value === "[") return this.#list();
    if (token.value !== "(") throw new ExpressionError(`unexpected ${JSON.stringify(token.value)}`);
    const inner = this.#conditional();
    this.#expect(")");
    return inner;
  }

  #list(): Run<C> {
    const items = this.#arguments("]");
    return (context, scope) => items.map((item) => item(context, scope));
  }

  #arguments(end: string): readonly Run<C>[] {
    const items: Run<C>[] = [];
    while (!this.#takes(end)) {
      if (items.length > 0) this.#expect(",");
      items.push(this.#conditional());
    }
    return items;
  }

  #named(name: string): Run<C> {
    if (name === "true" || name === "false") return () => name === "true";
    if (name === "nil") return () => undefined;
    if (this.#takes("(")) return this.#call(name);
    if (!this.#names.variables.has(name)) throw new ExpressionError(`unknown name ${name}`);
    return (_, scope) => scope[name];
  }

  #call(name: string): Run<C> {
    const args = this.#arguments(")");
    const own = Object.hasOwn(this.#names.functions, name) ? this.#names.functions[name] : undefined;
    if (own !== undefined) return (context, scope) => own(context, ...args.map((arg) => arg(context, scope)));
    const built = Object.hasOwn(builtIns, name) ? builtIns[name] : undefined;
    if (built === undefined) throw new ExpressionError(`unknown function ${name}`);
    return (context, scope) => built(...args.map((arg) => arg(context, scope)));
  }
}

const builtIns: Readonly<Record<string, (...args: readonly Value[]) => Value>> = {
  len: (value) => (typeof value === "string" || Array.isArray(value) ? (value as string).length : undefined),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  trim: (value) => text(value).trim(),
  split: (value, separator) => text(value).split(text(separator)),
  hasPrefix: (value, part) => text(value).startsWith(text(part)),
  hasSuffix: (value, part) => text(value).endsWith(text(part)),
  replace: (value, from, to) => text(value).replaceAll(text(from), text(to)),
  int: (value) => Math.trunc(Number(value)),
  string: (value) => text(value),
};

function combine<C>(operator: string, left: Run<C>, right: Run<C>): Run<C> {
  switch (operator) {
    case "||":
    case "or":
      return (context, scope) => isTrue(left(context, scope)) || isTrue(right(context, scope));
    case "&&":
    case "and":
      return (context, scope) => isTrue(left(context, scope)) && isTrue(right(context, scope));
    case "??":
      return (context, scope) => left(context, scope) ?? right(context, scope);
    default: {
      const apply = binary[operator];
      if (apply === undefined) throw new ExpressionError(`unknown operator ${operator}`);
      return (context, scope) => apply(left(context, scope), right(context, scope));
    }
  }
}

const binary: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  "==": same,
  "!=": (a, b) => !same(a, b),
  "<": (a, b) => compare(a, b) < 0,
  ">": (a, b) => compare(a, b) > 0,
  "<=": (a, b) => compare(a, b) <= 0,
  ">=": (a, b) => compare(a, b) >= 0,
  "+": (a, b) => (typeof a === "string" || typeof b === "string" ? text(a) + text(b) : number(a) + number(b)),
  "-": (a, b) => number(a) - number(b),
  "*": (a, b) => number(a) * number(b),
  "/": (a, b) => number(a) / number(b),
  "%": (a, b) => number(a) % number(b),
  "**": (a, b) => number(a) ** number(b),
  in: (a, b) => Array.isArray(b) && (b as readonly Value[]).some((item) => same(a, item)),
  matches: (a, b) => regExp(text(b)).test(text(a)),
  contains: (a, b) => text(a).includes(text(b)),
  startsWith: (a, b) => text(a).startsWith(text(b)),
  endsWith: (a, b) => text(a).endsWith(text(b)),
};

function same(a: Value, b: Value): boolean {
  return a === b;
}

function regExp(source: string): RegExp {
  try {
    return goRegExp(source);
  } catch (error) {
    throw new TypeError(errorMessage(error), { cause: error });
  }
}

function isTrue(value: Value): boolean {
  if (typeof value !== "boolean") throw new TypeError(`${JSON.stringify(value)} is neither true nor false`);
  return value;
}

function number(value: Value): number {
  if (typeof value !== "number") throw new TypeError(`${JSON.stringify(value)} is no number`);
  return value;
}

function text(value: Value): string {
  if (typeof value !== "string" && typeof value !== "number") throw new TypeError(`${JSON.stringify(value)} is no text`);
  return String(value);
}

function compare(a: Value, b: Value): number {
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  return number(a) - number(b);
}

function element(list: Value, index: Value): Value {
  return Array.isArray(list) && typeof index === "number" ? (list as readonly Value[])[index < 0 ? list.length + index : index] : undefined;
}
