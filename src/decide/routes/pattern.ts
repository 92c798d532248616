/**
 * Patterns of routes. A pattern comes from whoever may write a route, the text from any stranger: a backtracking engine would let one
 * request hold the gateway for minutes. So patterns run on V8's linear-time engine (irregexp's `l` flag, Thompson's construction);
 * what it cannot run (back references, look-around) is refused by name. That engine knows neither counted repeats nor letters of
 * either case, so these are written out first.
 */
import { setFlagsFromString } from "node:v8";
import { writeOut } from "./pattern-syntax.ts";

export type PatternResult = { readonly kind: "ok"; readonly pattern: RegExp } | { readonly kind: "bad"; readonly why: string };

/** Also of what counted repeats come to: the time of a match is its length times the text's. */
const maxLength = 2048;
const maxKept = 10_000;
/** The flag of the linear-time engine, which linters do not know. */
const linear: string = "l";
const kept = new Map<string, PatternResult>();
let enabled = false;

/** For the whole of a text, as implementations of the Gateway API have it (Envoy's `safe_regex`); `(?i)` before it: letters of either case. */
export function wholePattern(text: string): PatternResult {
  const anyCase = text.startsWith("(?i)");
  return compile(anyCase ? text.slice(4) : text, anyCase, (written) => `^(?:${written})$`, "whole");
}

/** From the beginning of a path, whatever follows, letters of either case: ingress-nginx's `location ~* "^/…"`. */
export function leadingPattern(text: string): PatternResult {
  return compile(text, true, (written) => (written.startsWith("^") ? written : `^(?:${written})`), "leading");
}

function compile(text: string, anyCase: boolean, frame: (written: string) => string, kind: "whole" | "leading"): PatternResult {
  const key = `${kind} ${anyCase ? "i" : " "}${text}`;
  const before = kept.get(key);
  if (before !== undefined) return before;
  const result = construct(text, anyCase, frame);
  if (kept.size < maxKept) kept.set(key, result);
  return result;
}

function construct(text: string, anyCase: boolean, frame: (written: string) => string): PatternResult {
  const written = writeOut(text, { anyCase, maxLength });
  if (written.kind === "bad") return written;
  if (!enabled) {
    // Only says that `l` is a flag; without it every expression is as before.
    setFlagsFromString("--enable-experimental-regexp-engine");
    enabled = true;
  }
  try {
    return { kind: "ok", pattern: new RegExp(frame(written.text), linear) };
  } catch {
    return { kind: "bad", why: "is no regular expression that runs in linear time" };
  }
}
