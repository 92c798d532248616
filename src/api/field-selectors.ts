/** Field selectors: `?fieldSelector=`, with upstream's errors (apimachinery `pkg/fields/selector.go`). */
import type { Parsed } from "./selector-parser.ts";

export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** `metadata.name=web,status.phase!=Running`; `\,` `\=` and `\\` stand for themselves in a value. */
export function parseFieldSelector(text: string): Parsed<readonly FieldRequirement[]> {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text)) {
    if (term === "") continue;
    const match = /^([^=!]*?)(==|!=|=)([\s\S]*)$/.exec(term);
    if (match === null) return { kind: "error", message: `invalid selector: '${text}'; can't understand '${term}'` };
    const value = unescapeValue(match[3] as string);
    if (value.kind === "error") return value;
    requirements.push({ field: match[1] as string, operator: match[2] === "!=" ? "!=" : "=", value: value.selector });
  }
  return { kind: "ok", selector: requirements };
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === ",") {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...terms, text.slice(start)];
}

function unescapeValue(text: string): Parsed<string> {
  let out = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    if (char === "\\") {
      const next = text[++at];
      if (next !== "\\" && next !== "," && next !== "=")
        return { kind: "error", message: `invalid field selector: invalid escape sequence: \\${next ?? ""}` };
      out += next;
    } else if (char === "," || char === "=") {
      return { kind: "error", message: `invalid field selector: unescaped character in value: ${char.charCodeAt(0)}` };
    } else out += char;
  }
  return { kind: "ok", selector: out };
}

/** `valueOf` gives the value of a field of the object; unknown fields must have been refused before. */
export function matchesFields(requirements: readonly FieldRequirement[], valueOf: (field: string) => string): boolean {
  return requirements.every(({ field, operator, value }) => (valueOf(field) === value) === (operator === "="));
}
