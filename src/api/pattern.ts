/**
 * Regular expressions that users bring: patterns of schemas and of CEL. Go's take linear time; V8's do not, and one `^(a+)+$` would stop the
 * whole server. So they run on V8's linear engine, which knows no counted repetitions (they are written out) and no look-around (Go has none).
 * What it cannot run, classes of Unicode for one, runs with a time limit.
 */
import { setFlagsFromString } from "node:v8";
import { createContext, Script } from "node:vm";

export type Pattern = (text: string) => boolean;

/** Written out, a pattern may be this long; Go, too, bounds what repetitions come to. */
const maxLength = 20_000;
/** Milliseconds for one text where time is not linear. */
const patience = 50;
const maxKept = 10_000;

const kept = new Map<string, Pattern | undefined>();

/** Undefined: no pattern that could be run here. The same for the same text. Throws an Error, when run, for a text that takes too long. */
export function compilePattern(source: string): Pattern | undefined {
  if (!kept.has(source)) {
    if (kept.size >= maxKept) kept.clear();
    kept.set(source, linear(source) ?? limited(source));
  }
  return kept.get(source);
}

let isEnabled = false;
const linearFlag: string = "l";

function linear(source: string): Pattern | undefined {
  if (/\\[pP]/.test(source)) return undefined;
  if (!isEnabled) setFlagsFromString("--enable-experimental-regexp-engine");
  isEnabled = true;
  try {
    // The flag of the linear engine, which is no part of the language.
    const expression = new RegExp(written(source), linearFlag);
    return (value) => expression.test(value);
  } catch {
    return undefined;
  }
}

class TooLong extends Error {}

/** Without captures, names, counted repetitions and flags. Throws for what is too long. */
function written(source: string): string {
  const reader: Reader = { text: source, at: 0, anyCase: false };
  const text = alternatives(reader);
  if (reader.at < source.length) throw new SyntaxError("a parenthesis without its other half");
  return text;
}

interface Reader {
  readonly text: string;
  at: number;
  /** `(?i)`: from here to the end of the group. */
  anyCase: boolean;
}

function alternatives(reader: Reader): string {
  let out = "";
  const before = reader.anyCase;
  while (reader.at < reader.text.length && reader.text[reader.at] !== ")") {
    if (reader.text.startsWith("(?i)", reader.at)) {
      reader.anyCase = true;
      reader.at += 4;
    } else out += repeated(atom(reader), reader);
    if (out.length > maxLength) throw new TooLong();
  }
  reader.anyCase = before;
  return out;
}

function atom(reader: Reader): string {
  const { text } = reader;
  const start = reader.at;
  const character = text[reader.at++] as string;
  switch (character) {
    case "\\":
      return escaped(text[reader.at++] ?? "");
    case "[":
      return characterClass(reader, start);
    case "(": {
      const head = /^\?(?:i?:|P?<[A-Za-z_]\w*>)/.exec(text.slice(reader.at, reader.at + 80))?.[0] ?? "";
      if (head === "" && text[reader.at] === "?") throw new SyntaxError("a group of a kind that is not known");
      reader.at += head.length;
      const before = reader.anyCase;
      reader.anyCase ||= head === "?i:";
      const inner = alternatives(reader);
      reader.anyCase = before;
      if (text[reader.at++] !== ")") throw new SyntaxError("a parenthesis without its other half");
      return `(?:${inner})`;
    }
    default:
      return reader.anyCase && /[A-Za-z]/.test(character) ? `[${character}${otherCase(character)}]` : character;
  }
}

const otherCase = (text: string): string =>
  text.replace(/[a-z]|([A-Z])/g, (letter, upper?: string) => (upper === undefined ? letter.toUpperCase() : letter.toLowerCase()));

/** Go's ends of text; the rest is the same. */
function escaped(character: string): string {
  return character === "A" ? "^" : character === "z" ? "$" : `\\${character}`;
}

const posix: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  digit: "0-9",
  lower: "a-z",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "A-Za-z0-9_",
  xdigit: "A-Fa-f0-9",
};

function characterClass(reader: Reader, start: number): string {
  const { text } = reader;
  if (text[reader.at] === "^") reader.at++;
  if (text[reader.at] === "]") reader.at++;
  while (reader.at < text.length && text[reader.at] !== "]") {
    if (text.startsWith("[:", reader.at)) reader.at = text.indexOf(":]", reader.at) + 1 || text.length;
    reader.at += text[reader.at] === "\\" ? 2 : 1;
  }
  reader.at++;
  const whole = text.slice(start, reader.at);
  // The first one stands for itself in Go; in JavaScript it would close the class.
  const plain = whole.replace(/^(\[\^?)\]/, "$1\\]").replace(/\[:(\w+):\]/g, (all, name: string) => posix[name] ?? all);
  return reader.anyCase ? `${plain.slice(0, -1)}${otherLetters(plain)}]` : plain;
}

/** The letters of a class in the other case; what is escaped has none. */
function otherLetters(text: string): string {
  const letters = text.replace(/\\(?:x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|.)/gs, "");
  return (letters.match(/[a-z]-[a-z]|[A-Z]-[A-Z]|[A-Za-z]/g) ?? []).map(otherCase).join("");
}

const counted = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/;

function repeated(item: string, reader: Reader): string {
  const rest = reader.text.slice(reader.at, reader.at + 16);
  const simple = /^[*+?]\??/.exec(rest);
  if (simple !== null) {
    reader.at += simple[0].length;
    return item + simple[0];
  }
  const count = counted.exec(rest);
  if (count === null) return item;
  reader.at += count[0].length;
  if (reader.text[reader.at] === "?") reader.at++;
  const least = Number(count[1]);
  const most = count[2] === undefined ? least : count[3] === undefined ? undefined : Number(count[3]);
  if (most !== undefined && most < least) throw new SyntaxError("a repetition that ends before it begins");
  if (item.length * Math.max(least, most ?? 0) > maxLength) throw new TooLong();
  const more = most === undefined ? `${item}*` : `${item}?`.repeat(most - least);
  return `(?:${item.repeat(least)}${more})`;
}

/** As JavaScript reads it, with an end to its time. */
function limited(source: string): Pattern | undefined {
  const expression = javascript(source);
  if (expression === undefined) return undefined;
  const place = createContext({ expression, value: "" });
  const script = new Script("expression.test(value)");
  return (value) => {
    place["value"] = value;
    try {
      return script.runInContext(place, { timeout: patience }) as boolean;
    } catch (error) {
      throw new Error(`the pattern ${JSON.stringify(source)} takes too long`, { cause: error });
    }
  };
}

function javascript(source: string): RegExp | undefined {
  for (const flags of ["u", ""]) {
    try {
      return new RegExp(source, flags);
    } catch {
      // Tried the other way; what neither reads is no pattern here.
    }
  }
  return undefined;
}
