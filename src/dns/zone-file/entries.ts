/** Lines of a zone file that belong together: parentheses join them; comments go, quoted text stays. */

export interface Entry {
  /** Begins with white space when the line does: the owner is then that of the record before. */
  readonly text: string;
  /** Of its first line, from 1. */
  readonly line: number;
  /** A parenthesis or quote was open at the end of the file. */
  readonly unclosed: boolean;
}

export function* entries(text: string): Generator<Entry> {
  let line = 1;
  let start = 1;
  let out = "";
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === "\\" && i + 1 < text.length) {
      out += char + text[++i];
    } else if (char === '"') {
      quoted = !quoted;
      out += char;
    } else if (quoted && char !== "\n") {
      out += char;
    } else if (char === ";") {
      while (i + 1 < text.length && text[i + 1] !== "\n") i++;
    } else if (char === "(") {
      depth++;
      out += " ";
    } else if (char === ")") {
      depth = Math.max(0, depth - 1);
      out += " ";
    } else if (char === "\n") {
      line++;
      if (depth > 0) out += " ";
      else {
        if (out.trim() !== "") yield { text: out, line: start, unclosed: quoted };
        quoted = false;
        out = "";
        start = line;
      }
    } else if (char !== "\r") out += char;
  }
  if (out.trim() !== "") yield { text: out, line: start, unclosed: quoted || depth > 0 };
}
