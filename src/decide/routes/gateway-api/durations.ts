/** Durations of the Gateway API (GEP-2257): `1h30m`, `500ms`; a subset of Go's. */

const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds; undefined: it is none. */
export function durationMs(text: string | undefined): number | undefined {
  if (text === undefined || !/^(\d{1,5}(h|ms|m|s)){1,4}$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)(h|ms|m|s)/g)) sum += Number(number) * (units[unit as string] as number);
  return sum;
}
