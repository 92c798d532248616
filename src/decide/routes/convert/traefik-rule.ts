/** Traefik's rules (`Host(\`a\`) && PathPrefix(\`/x\`)`, v3 syntax) as alternatives of conditions. Pure. */

export interface RuleCondition {
  readonly name: string;
  readonly args: readonly string[];
}

/** Any of these; each: all of its conditions. */
export type Alternatives = readonly (readonly RuleCondition[])[];

export type RuleResult = { readonly kind: "ok"; readonly alternatives: Alternatives } | { readonly kind: "bad"; readonly why: string };

const maxAlternatives = 64;
const token = /\s*(&&|\|\||!|\(|\)|,|`[^`]*`|"(?:[^"\\]|\\.)*"|[A-Za-z]+)/y;

export function parseRule(text: string): RuleResult {
  const tokens: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < text.trimEnd().length) {
    const found = token.exec(text);
    if (found === null) return { kind: "bad", why: `cannot be read: ${text}` };
    tokens.push(found[1] as string);
  }
  try {
    const parser = new Parser(tokens);
    const alternatives = parser.either();
    return parser.done ? { kind: "ok", alternatives } : { kind: "bad", why: `has something after its end: ${text}` };
  } catch (error) {
    if (error instanceof RuleError) return { kind: "bad", why: error.message };
    throw error;
  }
}

class RuleError extends Error {}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  either(): Alternatives {
    let all = this.#both();
    while (this.#take("||")) all = [...all, ...this.#both()];
    return all;
  }

  /** Of alternatives on both sides, each with each. */
  #both(): Alternatives {
    let all = this.#one();
    while (this.#take("&&")) {
      const more = this.#one();
      if (all.length * more.length > maxAlternatives) throw new RuleError("has too many alternatives");
      all = all.flatMap((left) => more.map((right) => [...left, ...right]));
    }
    return all;
  }

  #one(): Alternatives {
    if (this.#take("!")) throw new RuleError("says what must not be (!), which the Gateway API cannot");
    if (this.#take("(")) {
      const inner = this.either();
      if (!this.#take(")")) throw new RuleError("has a ( without an end");
      return inner;
    }
    const name = this.#tokens[this.#at++] ?? "";
    if (!/^[A-Za-z]+$/.test(name) || !this.#take("(")) throw new RuleError(`has ${JSON.stringify(name)} where a condition should be`);
    const args: string[] = [];
    do args.push(this.#text());
    while (this.#take(","));
    if (!this.#take(")")) throw new RuleError("has a ( without an end");
    return [[{ name, args }]];
  }

  #text(): string {
    const quoted = this.#tokens[this.#at++] ?? "";
    if (quoted.startsWith("`")) return quoted.slice(1, -1);
    if (quoted.startsWith('"')) return JSON.parse(quoted) as string;
    throw new RuleError(`has ${JSON.stringify(quoted)} where a text should be`);
  }

  #take(wanted: string): boolean {
    if (this.#tokens[this.#at] !== wanted) return false;
    this.#at += 1;
    return true;
  }
}
