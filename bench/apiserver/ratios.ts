/** Figures of several contestants as a table; the ratio says how much better the first one is. */

/** What load.go prints. */
export interface Measured {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly better: "more" | "less";
  /** Of each contestant, one per round. */
  readonly values: readonly (readonly number[])[];
}

export function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

export function table(rows: readonly Row[], names: readonly string[]): string {
  const head = ["", ...names, ...(names.length > 1 ? ["ratio"] : [])];
  const lines = rows.map(({ name, unit, better, values }) => {
    const middles = values.map(median);
    const [ours = Number.NaN, theirs] = middles;
    const ratio = theirs === undefined ? [] : [`${(better === "more" ? ours / theirs : theirs / ours).toFixed(2)} x`];
    return [name, ...middles.map((value) => `${value < 100 ? value.toFixed(1) : value.toFixed(0)} ${unit}`), ...ratio];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)));
  return [head, ...lines]
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
