/**
 * Patterns of routes on the browser's own engine, in the place of `src/decide/routes/pattern.ts`: that one needs V8's linear-time engine
 * because strangers send the texts. Here whoever looks types the text, and only their own page could be held up.
 */
import { writeOut } from "../../src/decide/routes/pattern-syntax.ts";
import type { PatternResult } from "../../src/decide/routes/pattern.ts";

const maxLength = 2048;

export function wholePattern(text: string): PatternResult {
  const anyCase = text.startsWith("(?i)");
  return compile(anyCase ? text.slice(4) : text, anyCase, (written) => `^(?:${written})$`);
}

export function leadingPattern(text: string): PatternResult {
  return compile(text, true, (written) => (written.startsWith("^") ? written : `^(?:${written})`));
}

function compile(text: string, anyCase: boolean, frame: (written: string) => string): PatternResult {
  const written = writeOut(text, { anyCase, maxLength });
  if (written.kind === "bad") return written;
  try {
    return { kind: "ok", pattern: new RegExp(frame(written.text)) };
  } catch {
    return { kind: "bad", why: "is no regular expression" };
  }
}
