/**
 * Corefile text to tokens (Caddyfile lexer of coredns/caddy): words are set apart by white space; a word that begins with `"`
 * ends at the next `"` and may hold white space and `\"`; `#` begins a comment, in the middle of a word too.
 */
export interface Token {
  readonly text: string;
  /** Where the token begins; from 1. */
  readonly line: number;
  readonly file: string;
}

const blank = /\s/u;

export function lex(input: string, file: string): Token[] {
  const text = input.startsWith("\uFEFF") ? input.slice(1) : input;
  const tokens: Token[] = [];
  let line = 1;
  for (let i = 0; i < text.length;) {
    const char = text[i] as string;
    if (blank.test(char)) {
      if (char === "\n") line++;
      i++;
    } else if (char === "#") {
      i = endOfLine(text, i);
    } else {
      const word = char === '"' ? quotedWord(text, i + 1) : bareWord(text, i);
      if (word.closed) tokens.push({ text: word.text, line, file });
      line += word.lines;
      i = word.end;
    }
  }
  return tokens;
}

interface Word {
  readonly text: string;
  readonly end: number;
  readonly lines: number;
  readonly closed: boolean;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

function bareWord(text: string, from: number): Word {
  let word = "";
  let i = from;
  for (; i < text.length && !(blank.test(text[i] as string) && text[i] !== "\r"); i++) {
    if (text[i] === "#") {
      i = endOfLine(text, i);
      break;
    }
    if (text[i] !== "\r") word += text[i];
  }
  return { text: word, end: i, lines: 0, closed: true };
}

/** Only `\"` is an escape; any other backslash stays. A word that is never closed counts unless it is empty. */
function quotedWord(text: string, from: number): Word {
  let word = "";
  let lines = 0;
  for (let i = from; i < text.length; i++) {
    const char = text[i] as string;
    if (char === '"') return { text: word, end: i + 1, lines, closed: true };
    const escapes = char === "\\" && text[i + 1] === '"';
    if (escapes) i++;
    else if (char === "\n") lines++;
    word += escapes ? '"' : char;
  }
  return { text: word, end: text.length, lines, closed: word !== "" };
}
