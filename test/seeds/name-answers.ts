/** What the DNS tools print, as lines that are the same in every run: code and flags, then the records in order. */

/** What differs from run to run → what stands for it. */
export type Placeholders = ReadonlyMap<string, string>;

/** Of dig, and of what asks through it. */
export const answersOfDig = (output: string, placeholders: Placeholders): readonly string[] =>
  each(output, placeholders, (lines) => ({
    head: [/status: (\w+)/, /flags: ([^;]*);/].map((pattern) => firstGroup(lines, pattern).trim()).join(" "),
    records: lines.filter((line) => !line.startsWith(";")),
  }));

export const answersOfKdig = (output: string, placeholders: Placeholders): readonly string[] =>
  each(output, placeholders, (lines) => ({
    head: [/status: (\w+)/, /Flags: ([^;]*);/].map((pattern) => firstGroup(lines, pattern).trim()).join(" "),
    records: lines.filter((line) => !line.startsWith(";")),
  }));

/** Records with their times, and of what is not there whether it is the name or the type. */
export const answersOfDelv = (output: string, placeholders: Placeholders): readonly string[] =>
  each(output, placeholders, (lines) => ({
    head: firstGroup(lines, /resolution failed: ncache (\w+)/) || firstGroup(lines, /^; (authoritative|answer not validated)/),
    records: lines.filter((line) => !line.startsWith(";")),
  }));

/** Of nslookup, and of what prints lines of its own. */
export const answersOfNslookup = (output: string, placeholders: Placeholders): readonly string[] =>
  each(output, placeholders, (lines) => ({
    head: "",
    records: lines.filter((line) => !/^;;|^(Server|Address):\s+169\.169\.0\.100/.test(line)),
  }));

interface Section {
  readonly head: string;
  readonly records: readonly string[];
}

function each(output: string, placeholders: Placeholders, read: (lines: readonly string[]) => Section): readonly string[] {
  return output
    .split(/^=== /m)
    .slice(1)
    .flatMap((part) => {
      const [question = "", ...lines] = part.split("\n").map((line) => stable(line, placeholders));
      const { head, records } = read(lines.filter((line) => line !== ""));
      return [`${question}: ${head}`.trim().replace(/:$/, ""), ...records.toSorted().map((line) => `  ${line}`)];
    });
}

const firstGroup = (lines: readonly string[], pattern: RegExp): string => {
  for (const line of lines) {
    const group = pattern.exec(line)?.[1];
    if (group !== undefined) return group;
  }
  return "";
};

/** Through a cache a time is what is left of it: those that it begins with, for the names of the documents. */
export function beforeCaching(line: string): string {
  const whole = line.includes("mycompany.com.") ? 60 : line.includes("dns-version.") ? 28_800 : 30;
  return line.replace(/^( {2}.*?) (\d+) IN /, (text, name: string, left: string) =>
    Number(left) > 0 && Number(left) <= whole ? `${name} ${whole} IN ` : text,
  );
}

/** The longest first: an address may be the beginning of another. */
function stable(line: string, placeholders: Placeholders): string {
  const longest = [...placeholders].sort(([a], [b]) => b.length - a.length);
  return longest
    .reduce((text, [found, name]) => text.replaceAll(found, name), line)
    .replace(/\s+/g, " ")
    .trim();
}
