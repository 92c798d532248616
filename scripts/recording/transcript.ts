/** What a terminal showed, line by line: enough of one for output that only ever rewrites its last line. Pure. */

const escape = "\u001b";

export interface Span {
  readonly text: string;
  /** SGR codes that are on: 1 bold, 2 dim, 32 green, … */
  readonly styles: readonly number[];
}

export interface TimedLine {
  readonly spans: readonly Span[];
  /** Seconds: when it got the content that stays. */
  readonly at: number;
}

export interface OutputEvent {
  readonly at: number;
  readonly data: string;
}

interface Cell {
  readonly character: string;
  readonly styles: readonly number[];
}

/** A control sequence (ECMA-48 5.4), or one character. */
const tokens = new RegExp(`${escape}\\[[\\d;?]*[A-Za-z]|[^]`, "gu");

const ends: Readonly<Record<number, readonly number[]>> = { 22: [1, 2], 39: [30, 31, 32, 33, 34, 35, 36, 37] };

export function transcript(events: readonly OutputEvent[]): readonly TimedLine[] {
  const lines: TimedLine[] = [];
  let row: Cell[] = [];
  let column = 0;
  let styles: readonly number[] = [];
  for (const { at, data } of events) {
    for (const [token] of data.matchAll(tokens)) {
      if (token === "\n") {
        lines.push({ spans: spansOf(row), at });
        [row, column] = [[], 0];
      } else if (token === "\r") column = 0;
      else if (token.endsWith("m") && token.startsWith("\u001b")) styles = restyled(styles, token);
      else if (token === "\u001b[K") row = row.slice(0, column);
      else if (!token.startsWith("\u001b")) row[column++] = { character: token, styles };
    }
  }
  return row.length === 0 ? lines : [...lines, { spans: spansOf(row), at: events.at(-1)?.at ?? 0 }];
}

function restyled(styles: readonly number[], token: string): readonly number[] {
  return token
    .slice(2, -1)
    .split(";")
    .map(Number)
    .reduce<readonly number[]>(
      (all, code) =>
        code === 0 ? [] : code in ends ? all.filter((one) => !(ends[code] as readonly number[]).includes(one)) : [...all, code],
      styles,
    );
}

function spansOf(row: readonly Cell[]): readonly Span[] {
  const spans: { text: string; styles: readonly number[] }[] = [];
  for (const { character, styles } of row) {
    const last = spans.at(-1);
    if (last !== undefined && String(last.styles) === String(styles)) last.text += character;
    else spans.push({ text: character, styles });
  }
  return spans;
}
