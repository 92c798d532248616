/** What a new status says that the old one did not, and that keeps something from working: for Events. Pure. */

export interface Fault {
  readonly reason: string;
  readonly message: string;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message?: string;
}

/** Conditions that are bad when they are not so; `Conflicted` is the other way round (Gateway API `ListenerConditionType`). */
const wanted: ReadonlySet<string> = new Set(["Accepted", "Programmed", "ResolvedRefs"]);
/** Work that goes on. */
const passing: ReadonlySet<string> = new Set(["Pending"]);

export function newFaults(old: unknown, next: unknown): readonly Fault[] {
  const before = new Set(faultsOf(old).map(textOf));
  return [...new Map(faultsOf(next).map((fault) => [textOf(fault), fault])).values()].filter((fault) => !before.has(textOf(fault)));
}

function textOf({ reason, message }: Fault): string {
  return `${reason} ${message}`;
}

/** Of the status itself, its listeners, its parents. */
function faultsOf(status: unknown): readonly Fault[] {
  if (Array.isArray(status)) return status.flatMap(faultsOf);
  if (status === null || typeof status !== "object") return [];
  return Object.entries(status).flatMap(([name, value]) =>
    name === "conditions" && Array.isArray(value) ? (value as readonly Condition[]).flatMap(faultOf) : faultsOf(value),
  );
}

function faultOf({ type, status, reason, message = "" }: Condition): readonly Fault[] {
  const isFault = (wanted.has(type) && status === "False" && !passing.has(reason)) || (type === "Conflicted" && status === "True");
  return isFault ? [{ reason, message }] : [];
}
