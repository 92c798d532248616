/** Durations in a Corefile. */
export { parseGoDuration as parseDuration } from "../../lib/go-duration.ts";

/** `1m30s`, `500ms`: for messages. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms % 1000 !== 0) return ms > 1000 ? `${ms / 1000}s` : `${ms}ms`;
  const seconds = ms / 1000;
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${h > 0 ? `${h}h` : ""}${m > 0 ? `${m}m` : ""}${s > 0 ? `${s}s` : ""}`;
}
