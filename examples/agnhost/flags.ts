/** Flags as upstream's programs take them: `--name value` and `--name=value`. Unknown ones are refused. */
import { parseArgs } from "node:util";

export interface Flags {
  readonly words: readonly string[];
  text(name: string): string;
  number(name: string): number;
  flag(name: string): boolean;
  /** A Go duration (`1m30s`, `500ms`) in ms. */
  duration(name: string): number;
}

/** `defaults`: name → value; a boolean makes it a switch. Throws with what is wrong. */
export function readFlags(words: readonly string[], defaults: Readonly<Record<string, string | boolean>>): Flags {
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [
      name,
      { type: typeof value === "boolean" ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  // `--http=false` is how Go switches one off.
  const plain = joinNegative(words.filter((word) => !isSwitchedOff(word, defaults)).map((word) => word.replace(/=true$/, "")));
  const { values, positionals } = parseArgs({ args: [...plain], options, allowPositionals: true });
  const value = (name: string) => (words.includes(`--${name}=false`) ? false : (values[name] ?? defaults[name]));
  return {
    words: positionals,
    text: (name) => String(value(name)),
    number: (name) => numberOf(name, String(value(name))),
    flag: (name) => value(name) === true,
    duration: (name) => parseDuration(String(value(name))),
  };
}

/** `--udp-port -1`: a value that begins with a dash belongs to the flag before it. */
function joinNegative(words: readonly string[]): readonly string[] {
  return words.flatMap((word, index) => {
    if (/^-\d/.test(word) && words[index - 1]?.startsWith("--")) return [];
    return /^--[^=]+$/.test(word) && /^-\d/.test(words[index + 1] ?? "") ? [`${word}=${words[index + 1]}`] : [word];
  });
}

function isSwitchedOff(word: string, defaults: Readonly<Record<string, string | boolean>>): boolean {
  const name = /^--(.+)=false$/.exec(word)?.[1];
  return name !== undefined && typeof defaults[name] === "boolean";
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (text === "" || !Number.isInteger(number)) throw new Error(`--${name} ${text}: not a number`);
  return number;
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Throws for what Go's `time.ParseDuration` refuses; empty is 0. */
export function parseDuration(text: string): number {
  if (text === "" || text === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) throw new Error(`${JSON.stringify(text)} is no duration`);
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, n, unit]) => sum + Number(n) * (units[unit as string] as number),
    0,
  );
}
