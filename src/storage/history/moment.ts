/** When: how people say it, and how it is compared with what was written. */
import { FairleadError } from "../../lib/errors.ts";

/** A revision, milliseconds since the epoch, or where what is kept begins. */
export type Moment =
  | { readonly kind: "revision"; readonly revision: number }
  | { readonly kind: "time"; readonly time: number }
  | { readonly kind: "oldest" };

export function isAfter(version: { readonly revision: number; readonly time: number }, moment: Moment): boolean {
  switch (moment.kind) {
    case "revision":
      return version.revision > moment.revision;
    case "time":
      return version.time > moment.time;
    case "oldest":
      return true;
  }
}

/** `2026-01-31T10:00:00Z`, `5m` ago, a revision, or `oldest`. Throws FL_USAGE. */
export function readMoment(text: string, now: number): Moment {
  if (text === "oldest") return { kind: "oldest" };
  if (/^\d+$/.test(text)) return { kind: "revision", revision: Number(text) };
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  if (amount !== undefined) return { kind: "time", time: now - Number(amount) * (units[unit] as number) };
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new FairleadError("FL_USAGE", `${text} is no moment`, { hint: "Examples: 2026-01-31T10:00:00Z, 5m (ago), 8123 (a revision)." });
  return { kind: "time", time };
}
