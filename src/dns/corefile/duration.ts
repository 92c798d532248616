/** Durations as Go writes them: `30s`, `1h15m`, `0.5s`, `300ms`. */
const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "\u00B5s": 1e-3,
  "\u03BCs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const part = /(\d+\.?\d*|\.\d+)(ns|us|\u00B5s|\u03BCs|ms|s|m|h)/g;

/** Milliseconds; undefined when the text is no duration. `0` needs no unit; any may be negative. */
export function parseDuration(text: string): number | undefined {
  const [, sign = "", body = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (body === "0") return 0;
  const parts = [...body.matchAll(part)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== body) return undefined;
  const ms = parts.reduce((sum, [, count = "0", unit = "s"]) => sum + Number(count) * (units[unit] ?? 0), 0);
  return sign === "-" ? -ms : ms;
}

/** `1m30s`, `500ms`: for messages. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms % 1000 !== 0) return ms > 1000 ? `${ms / 1000}s` : `${ms}ms`;
  const seconds = ms / 1000;
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${h > 0 ? `${h}h` : ""}${m > 0 ? `${m}m` : ""}${s > 0 ? `${s}s` : ""}`;
}
