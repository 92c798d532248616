/** Values that are a number or a text: `maxSurge: 25%`, `targetPort: http` (apimachinery `pkg/util/intstr`). */

export type IntOrString = number | string;

/** `25%` → 25; undefined when it is no percentage. */
export function percentOf(text: string): number | undefined {
  return /^\d{1,9}%$/.test(text) ? Number(text.slice(0, -1)) : undefined;
}

/**
 * The number itself, or that share of `total`. Throws a RangeError for a text that is no percentage, with upstream's words
 * (`GetScaledValueFromIntOrPercent`).
 */
export function scaledValue(value: IntOrString, total: number, roundUp: boolean): number {
  if (typeof value === "number") return value;
  const percent = percentOf(value);
  if (percent === undefined) throw new RangeError(`invalid value for IntOrString: invalid type: string is not a percentage`);
  const share = (percent * total) / 100;
  return roundUp ? Math.ceil(share) : Math.floor(share);
}
