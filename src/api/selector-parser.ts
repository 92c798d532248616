/** The text form of label selectors, with upstream's errors (apimachinery `pkg/labels/selector.go`). */
import { labelValue, qualifiedName } from "./names.ts";
import type { LabelSelector, Operator, Requirement } from "./selectors.ts";

/** What `gt` and `lt` compare: 64 bits. */
export const integerText: RegExp = /^[+-]?\d{1,19}$/;

export type Parsed<T> = { readonly kind: "ok"; readonly selector: T } | { readonly kind: "error"; readonly message: string };

class ParseFault extends Error {}

interface Token {
  readonly kind: "word" | "end" | "," | "(" | ")" | "!" | "=" | "==" | "!=" | ">" | "<" | "in" | "notin";
  readonly text: string;
}

function tokens(text: string): Token[] {
  const out: Token[] = [];
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at);
    const blank = /^[ \t\r\n]+/.exec(rest);
    if (blank) {
      at += blank[0].length;
      continue;
    }
    const symbol = /^(?:==|!=|[=!<>,()])+/.exec(rest)?.[0];
    if (symbol !== undefined) {
      const one = /^(?:==|!=|=|!|<|>|,|\(|\))/.exec(symbol)?.[0] as Token["kind"];
      out.push({ kind: one, text: one });
      at += one.length;
      continue;
    }
    const word = /^[^=!<>,() \t\r\n]+/.exec(rest)?.[0] as string;
    out.push({ kind: word === "in" || word === "notin" ? word : "word", text: word });
    at += word.length;
  }
  return [...out, { kind: "end", text: "" }];
}

/** `app=web,tier in (a,b),!legacy` */
export function parseLabelSelector(text: string): Parsed<LabelSelector> {
  try {
    const parser = new Parser(tokens(text));
    const requirements = parser.all().sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    return { kind: "ok", selector: { kind: "requirements", requirements } };
  } catch (error) {
    if (error instanceof ParseFault) return { kind: "error", message: error.message };
    throw error;
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#at++;
    return token;
  }

  all(): Requirement[] {
    const out: Requirement[] = [];
    if (this.#peek().kind === "end") return out;
    for (;;) {
      const first = this.#peek();
      if (first.kind !== "word" && first.kind !== "!" && first.kind !== "in" && first.kind !== "notin") {
        throw new ParseFault(`found '${first.text}', expected: !, identifier, or 'end of string'`);
      }
      out.push(this.#nextRequirement());
      const after = this.#next();
      if (after.kind === "end") return out;
      if (after.kind !== ",") throw new ParseFault(`found '${after.text}', expected: ',' or 'end of string'`);
      const following = this.#peek();
      if (following.kind !== "word" && following.kind !== "!" && following.kind !== "in" && following.kind !== "notin") {
        throw new ParseFault(`found '${following.text}', expected: identifier after ','`);
      }
    }
  }

  #nextRequirement(): Requirement {
    try {
      return this.#requirement();
    } catch (error) {
      throw error instanceof ParseFault ? new ParseFault(`unable to parse requirement: ${error.message}`) : error;
    }
  }

  #requirement(): Requirement {
    const negated = this.#peek().kind === "!";
    if (negated) this.#next();
    const token = this.#next();
    if (token.kind !== "word" && token.kind !== "in" && token.kind !== "notin")
      throw new ParseFault(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const problems = qualifiedName(key);
    // Upstream's field path is nil here, and its text says so.
    if (problems.length > 0) throw new ParseFault(`<nil>: Invalid value: ${JSON.stringify(key)}: ${problems.join("; ")}`);
    if (negated) return { key, operator: "!", values: [] };
    const next = this.#peek().kind;
    if (next === "end" || next === ",") return { key, operator: "exists", values: [] };
    const operator = this.#operator();
    const values = operator === "in" || operator === "notin" ? this.#list() : [this.#value()];
    return { key, operator, values: checkedValues(key, operator, values) };
  }

  #operator(): Operator {
    const token = this.#next();
    switch (token.kind) {
      case "=":
      case "==":
        return "=";
      case "!=":
      case "in":
      case "notin":
        return token.kind;
      case ">":
        return "gt";
      case "<":
        return "lt";
      default:
        throw new ParseFault(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #value(): string {
    const { kind } = this.#peek();
    if (kind === "end" || kind === ",") return "";
    const token = this.#next();
    if (token.kind !== "word" && token.kind !== "in" && token.kind !== "notin")
      throw new ParseFault(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  #list(): readonly string[] {
    const open = this.#next();
    if (open.kind !== "(") throw new ParseFault(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    for (let first = true; ; first = false) {
      const token = this.#next();
      if (token.kind === "word" || token.kind === "in" || token.kind === "notin") {
        values.add(token.text);
        const after = this.#next();
        if (after.kind === ")") return [...values].sort();
        if (after.kind !== ",") throw new ParseFault(`found '${after.text}', expected: ',' or ')'`);
        if (this.#peek().kind === ")") values.add("");
      } else if (token.kind === ",") values.add("");
      else if (token.kind === ")") {
        values.add("");
        return [...values].sort();
      } else throw new ParseFault(`found '${token.text}', expected: ',', ${first ? "')' or" : "or"} identifier`);
    }
  }
}

function checkedValues(key: string, operator: Operator, values: readonly string[]): readonly string[] {
  if ((operator === "gt" || operator === "lt") && !integerText.test(values[0] ?? "")) {
    throw new ParseFault(
      `values[0]: Invalid value: ${JSON.stringify(values[0] ?? "")}: for 'Gt', 'Lt' operators, the value must be an integer`,
    );
  }
  for (const [i, value] of values.entries()) {
    const problems = labelValue(value);
    if (problems.length > 0) throw new ParseFault(`values[${i}][${key}]: Invalid value: ${JSON.stringify(value)}: ${problems.join("; ")}`);
  }
  return values;
}
