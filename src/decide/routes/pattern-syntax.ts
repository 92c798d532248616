/**
 * Reads a regular expression (the part of RE2's syntax that JavaScript shares) and writes it again without counted repeats and, if
 * asked, with both cases of each letter: `[a-z]{2}` → `[a-z][a-z]`, `ab` → `[aA][bB]`. Pure; no backtracking of its own.
 */

export type Written = { readonly kind: "ok"; readonly text: string } | { readonly kind: "bad"; readonly why: string };

export interface WriteOptions {
  readonly anyCase: boolean;
  /** Of the result. */
  readonly maxLength: number;
}

class Refusal extends Error {}

export function writeOut(source: string, options: WriteOptions): Written {
  if (source.length > options.maxLength) return { kind: "bad", why: `is longer than ${options.maxLength} characters` };
  try {
    const reader = new Reader(source, options);
    const text = reader.alternatives(0);
    if (!reader.done) throw new Refusal("has a ) that closes nothing");
    return { kind: "ok", text };
  } catch (error) {
    if (error instanceof Refusal) return { kind: "bad", why: error.message };
    throw error;
  }
}

const maxDepth = 50;
const maxCount = 1000;
const meta = /[\\^$.*+?()[\]{}|/]/;

class Reader {
  readonly #source: string;
  readonly #options: WriteOptions;
  #at = 0;

  constructor(source: string, options: WriteOptions) {
    this.#source = source;
    this.#options = options;
  }

  get done(): boolean {
    return this.#at >= this.#source.length;
  }

  alternatives(depth: number): string {
    if (depth > maxDepth) throw new Refusal("is nested too deeply");
    let out = "";
    while (!this.done && this.#peek() !== ")") out += this.#peek() === "|" ? this.#take() : this.#repeated(depth);
    return this.#bounded(out);
  }

  #peek(): string {
    return this.#source[this.#at] ?? "";
  }

  #take(): string {
    return this.#source[this.#at++] ?? "";
  }

  #bounded(text: string): string {
    if (text.length > this.#options.maxLength)
      throw new Refusal(`comes to more than ${this.#options.maxLength} characters with its repeats written out`);
    return text;
  }

  #repeated(depth: number): string {
    const atom = this.#atom(depth);
    const next = this.#peek();
    if (next === "*" || next === "+" || next === "?") return atom + this.#take() + this.#lazy();
    const count = /^\{(\d+)(,(\d*))?\}/.exec(this.#source.slice(this.#at, this.#at + 16));
    if (count === null) return atom;
    this.#at += count[0].length;
    const least = Number(count[1]);
    const most = count[2] === undefined ? least : count[3] === "" ? undefined : Number(count[3]);
    return this.#counted(atom, least, most, this.#lazy());
  }

  #lazy(): string {
    return this.#peek() === "?" ? this.#take() : "";
  }

  /** `a{2,4}` → `aa(?:a(?:a)?)?`. */
  #counted(atom: string, least: number, most: number | undefined, lazy: string): string {
    if (/(?<!\\)\((?!\?)/.test(atom)) throw new Refusal("repeats a group that captures a counted number of times");
    if (Math.max(least, most ?? 0) > maxCount || (most !== undefined && most < least)) throw new Refusal("has a repeat that cannot be");
    this.#bounded("x".repeat(Math.min(this.#options.maxLength + 1, atom.length * Math.max(least, most ?? 1))));
    const fixed = atom.repeat(least);
    if (most === undefined) return `${fixed}${atom}*${lazy}`;
    let rest = "";
    for (let left = most - least; left > 0; left--) rest = `(?:${atom}${rest})?${lazy}`;
    return this.#bounded(fixed + rest);
  }

  #atom(depth: number): string {
    const character = this.#take();
    switch (character) {
      case "(":
        return this.#group(depth);
      case "[":
        return this.#set();
      case "\\":
        return this.#escape();
      case "*":
      case "+":
      case "?":
        throw new Refusal(`has a ${character} that repeats nothing`);
      case "^":
      case "$":
      case ".":
        return character;
      default:
        return this.#letter(character);
    }
  }

  #group(depth: number): string {
    let opening = "(";
    if (this.#peek() === "?") {
      if (!this.#source.startsWith("?:", this.#at))
        throw new Refusal("looks around, sets flags or names a group, which cannot be done here");
      this.#at += 2;
      opening = "(?:";
    }
    const inner = this.alternatives(depth + 1);
    if (this.#take() !== ")") throw new Refusal("has a group without an end");
    return `${opening}${inner})`;
  }

  #escape(): string {
    const next = this.#take();
    if (next === "") throw new Refusal("ends in a backslash");
    if (/[1-9k]/.test(next)) throw new Refusal("refers back to a group, which cannot be done in linear time");
    if (/[dDwWsSbBtnrfv]/.test(next)) return `\\${next}`;
    if (/[A-Za-z0-9]/.test(next)) throw new Refusal(`has \\${next}, which means nothing here`);
    return `\\${next}`;
  }

  #letter(character: string): string {
    if (this.#options.anyCase && /[A-Za-z]/.test(character)) return `[${character.toLowerCase()}${character.toUpperCase()}]`;
    return meta.test(character) ? `\\${character}` : character;
  }

  #set(): string {
    let out = "[";
    if (this.#peek() === "^") out += this.#take();
    for (let first = true; first || this.#peek() !== "]"; first = false) {
      if (this.done) throw new Refusal("has a [ without an end");
      out += this.#setItem();
    }
    this.#at += 1;
    return `${out}]`;
  }

  /** A character or a range; `[:alpha:]` and the like are not JavaScript's. */
  #setItem(): string {
    if (this.#source.startsWith("[:", this.#at)) throw new Refusal("names a class of characters as POSIX does");
    const from = this.#setCharacter();
    if (this.#peek() !== "-" || this.#source[this.#at + 1] === "]") return this.#bothCases(from, from);
    this.#at += 1;
    return this.#bothCases(from, this.#setCharacter());
  }

  #setCharacter(): string {
    const character = this.#take();
    if (character === "\\") return this.#escape();
    return /[\]\\^[-]/.test(character) ? `\\${character}` : character;
  }

  #bothCases(from: string, to: string): string {
    const range = from === to ? from : `${from}-${to}`;
    if (!this.#options.anyCase || !/^[A-Za-z]$/.test(from) || !/^[A-Za-z]$/.test(to)) return range;
    const [low, high] = [(text: string) => text.toLowerCase(), (text: string) => text.toUpperCase()];
    return low(from) > low(to) ? range : `${low(from)}-${low(to)}${high(from)}-${high(to)}`;
  }
}
