/** `$GENERATE START-STOP[/STEP] LHS [TTL] [CLASS] TYPE RHS`: one line for each number; `$` and `${OFFSET,WIDTH,BASE}` stand for it. */

const maxLines = 65_536;

/** The lines, or why there are none. */
export function generate(text: string): readonly string[] | string {
  const [, range = "", pattern = ""] = /^\s*\$GENERATE\s+(\S+)\s+(.*)$/is.exec(text) ?? [];
  const [, from, to, step = "1"] = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(range) ?? [];
  if (from === undefined || to === undefined) return `${JSON.stringify(range)} is no range of $GENERATE`;
  const [start, stop, by] = [Number(from), Number(to), Number(step)];
  if (by < 1 || start > stop) return `the range ${range} of $GENERATE holds nothing`;
  if ((stop - start) / by >= maxLines) return `$GENERATE makes at most ${maxLines} records`;
  const lines: string[] = [];
  for (let number = start; number <= stop; number += by) lines.push(fill(pattern, number));
  return lines;
}

function fill(pattern: string, number: number): string {
  return pattern.replace(/\\\$|\$\{(-?\d+)(?:,(\d+)(?:,([doxX]))?)?\}|\$\$|\$/g, (found, offset?: string, width = "0", base = "d") => {
    if (found === "\\$" || found === "$$") return "$";
    const value = number + Number(offset ?? 0);
    const digits = value.toString(base === "o" ? 8 : base === "d" ? 10 : 16).padStart(Number(width), "0");
    return base === "X" ? digits.toUpperCase() : digits;
  });
}
