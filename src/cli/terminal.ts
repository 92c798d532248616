/**
 * Output for people: colour and a moving line in a terminal, plain lines elsewhere, nothing but results where the
 * output is for a program. Progress goes to standard error, results to standard output.
 */

export interface Terminal {
  /** Colours and cursor movement are welcome on standard error. */
  readonly interactive: boolean;
  readonly paint: Paint;
  /** A result, on standard output; the newline is added. */
  print(text: string): void;
  /** News about the work, on standard error; silent with `--quiet`. */
  note(text: string): void;
  /** Begins a step; in a terminal the line is replaced when the step ends. */
  step(text: string): Step;
}

export interface Step {
  update(text: string): void;
  done(text?: string): void;
  fail(text?: string): void;
}

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
  cyan(text: string): string;
}

export interface TerminalOptions {
  readonly out: Pick<NodeJS.WriteStream, "write" | "isTTY">;
  readonly err: Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly quiet?: boolean;
  readonly now?: () => number;
}

const plain: Paint = { bold: same, dim: same, green: same, yellow: same, red: same, cyan: same };

const coloured: Paint = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
  red: sgr(31, 39),
  cyan: sgr(36, 39),
};

function same(text: string): string {
  return text;
}

function sgr(on: number, off: number): (text: string) => string {
  return (text) => `\u001b[${on}m${text}\u001b[${off}m`;
}

export function createTerminal(options: TerminalOptions): Terminal {
  const { out, err, env, quiet = false, now = () => performance.now() } = options;
  const forced = env["FORCE_COLOR"] !== undefined && env["FORCE_COLOR"] !== "0";
  const dumb = env["TERM"] === "dumb" || env["CI"] === "true";
  const interactive = err.isTTY === true && !dumb;
  const colour = env["NO_COLOR"] === undefined && (forced || (out.isTTY === true && env["TERM"] !== "dumb"));
  const paint = colour ? coloured : plain;
  const write = (text: string) => void (quiet || err.write(text));
  return {
    interactive,
    paint,
    print: (text) => void out.write(`${text}\n`),
    note: (text) => write(`${text}\n`),
    step(text) {
      const began = now();
      const took = () => paint.dim(` ${((now() - began) / 1000).toFixed(2)} s`);
      const show = (line: string) => interactive && write(`\r\u001b[2K${paint.dim("…")} ${line.slice(0, (err.columns ?? 80) - 3)}`);
      const end = (mark: string, line: string) => write(`${interactive ? "\r\u001b[2K" : ""}${mark} ${line}${took()}\n`);
      show(text);
      return {
        update: show,
        done: (line = text) => end(paint.green("✓"), line),
        fail: (line = text) => end(paint.red("✗"), line),
      };
    },
  };
}

/** Rows in columns, each as wide as its widest cell (colour codes do not count), two blanks between. */
export function table(rows: readonly (readonly string[])[], indent = ""): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, visible(cell))));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell + " ".repeat((widths[i] as number) - visible(cell)))).join("  ");
  return rows.map((row) => `${indent}${line(row)}`.trimEnd()).join("\n");
}

function visible(text: string): number {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[\d+m/g, "").length;
}
