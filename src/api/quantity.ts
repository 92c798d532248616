/**
 * Quantities: exact decimal numbers with a suffix (`100m`, `1.5Gi`, `2e3`), as apimachinery `pkg/api/resource/quantity.go`
 * reads and writes them. A value is kept in nano units; anything finer is rounded up, away from zero, as upstream does.
 */

export type QuantityFormat = "decimalSI" | "binarySI" | "decimalExponent";

export interface Quantity {
  /** The value times 10^9. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

const nanoPerUnit = 1_000_000_000n;
const decimalSuffixes: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binarySuffixes: Readonly<Record<string, bigint>> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};
/** 2^63 - 1: larger values with a binary suffix are capped, as upstream caps them. */
const maxUnits = (1n << 63n) - 1n;
const maxLength = 256;

/** undefined: malformed. */
export function parseQuantity(text: string): Quantity | undefined {
  if (text.length > maxLength) return undefined;
  const match = /^([+-]?)(\d*)(?:\.(\d*))?([numkMGTPE]?|[KMGTPE]i|[eE][+-]?\d{1,9})$/.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match;
  if (whole === "" && fraction === "") return undefined;
  const { numerator, exponent, format } = scale(suffix);
  if (Math.abs(exponent) > 1000) return undefined;
  // value = digits × 10^(exponent − fraction digits) × numerator, in nano units
  const digits = BigInt(whole + fraction || "0") * numerator;
  const exact = shift(digits, exponent - fraction.length + 9);
  const magnitude = format === "binarySI" ? capped(exact) : exact;
  return { nano: sign === "-" ? -magnitude : magnitude, format };
}

function scale(suffix: string): { readonly numerator: bigint; readonly exponent: number; readonly format: QuantityFormat } {
  const binary = binarySuffixes[suffix];
  if (binary !== undefined) return { numerator: binary, exponent: 0, format: "binarySI" };
  if (/^[eE][+-]?\d+$/.test(suffix)) return { numerator: 1n, exponent: Number(suffix.slice(1)), format: "decimalExponent" };
  return { numerator: 1n, exponent: decimalSuffixes[suffix] as number, format: "decimalSI" };
}

/** digits × 10^power, rounded up. */
function shift(digits: bigint, power: number): bigint {
  if (power >= 0) return digits * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (digits + divisor - 1n) / divisor;
}

function capped(nano: bigint): bigint {
  const max = maxUnits * nanoPerUnit;
  return nano > max ? max : nano;
}

/** The canonical text: no fraction, the largest suffix that needs none. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return "0";
  const sign = nano < 0n ? "-" : "";
  const magnitude = nano < 0n ? -nano : nano;
  if (format === "binarySI" && magnitude % nanoPerUnit === 0n && magnitude >= 1024n * nanoPerUnit)
    return sign + binaryText(magnitude / nanoPerUnit);
  return sign + decimalText(magnitude, format === "decimalExponent");
}

function binaryText(units: bigint): string {
  const suffixes = ["", ...Object.keys(binarySuffixes)];
  let value = units;
  let step = 0;
  while (value % 1024n === 0n && step < suffixes.length - 1) {
    value /= 1024n;
    step++;
  }
  return `${value}${suffixes[step]}`;
}

function decimalText(nano: bigint, exponent: boolean): string {
  let value = nano;
  let power = -9;
  while (value % 1000n === 0n && power < 18) {
    value /= 1000n;
    power += 3;
  }
  if (exponent) return power === 0 ? String(value) : `${value}e${power}`;
  const suffix = Object.entries(decimalSuffixes).find(([, at]) => at === power)?.[0] ?? "";
  return `${value}${suffix}`;
}

export function compareQuantities(a: Quantity, b: Quantity): -1 | 0 | 1 {
  return a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0;
}

/** The sum keeps the first one's format, unless that is zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, format: a.nano === 0n ? b.format : a.format };
}

/** Whole units, rounded up: bytes of `1.5Ki`, 1 of `100m`. */
export function quantityUnits({ nano }: Quantity): bigint {
  return nano >= 0n ? (nano + nanoPerUnit - 1n) / nanoPerUnit : -((-nano + nanoPerUnit - 1n) / nanoPerUnit);
}
