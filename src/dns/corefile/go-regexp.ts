/**
 * Regular expressions as Corefiles have them (Go's RE2 syntax) to those of this language: named groups `(?P<x>…)`, flags in front
 * `(?i)`, `\z`, `\A`, POSIX classes. RE2 never backtracks and this engine does: names are at most 255 bytes, patterns come from
 * the administrator.
 */
const maxPattern = 10_000;

const posix: Readonly<Record<string, string>> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "0-9A-Za-z",
  lower: "a-z",
  upper: "A-Z",
  space: "\\s",
  word: "\\w",
  xdigit: "0-9A-Fa-f",
  punct: "!-\\/:-@\\[-`{-~",
};

/** Throws SyntaxError. */
export function goRegExp(source: string): RegExp {
  if (source.length > maxPattern) throw new SyntaxError(`regex pattern too long: ${source.length} > ${maxPattern}`);
  const [, letters = ""] = /^\(\?([ims]+)\)/.exec(source) ?? [];
  const body = letters === "" ? source : source.slice(letters.length + 3);
  const translated = body
    .replace(/\(\?P</g, "(?<")
    .replace(/\\z/g, "$")
    .replace(/\\A/g, "^")
    .replace(/\[:(\w+):\]/g, (whole, name: string) => posix[name] ?? whole);
  if (/\(\?[=!]|\(\?<[=!]|\\[1-9]/.test(translated))
    throw new SyntaxError(`invalid or unsupported Perl syntax in ${JSON.stringify(source)}`);
  return new RegExp(translated, letters);
}

/** How many groups a pattern has. */
export function groupCount(pattern: RegExp): number {
  return (new RegExp(`${pattern.source}|`, pattern.flags).exec("")?.length ?? 1) - 1;
}
