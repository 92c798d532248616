/** Everything that is wrong, or will be, in a Snapshot: the causes of `explain` for each object, and clashes and surprises between them. */
import { deepFreeze } from "../../../lib/freeze.ts";
import { refText, type Snapshot } from "../snapshot.ts";
import { worldOf } from "../world.ts";
import { auditAddresses } from "./addresses.ts";
import { adviceFor, idlePolicies, modeMigration, ndotsWaste } from "./advice.ts";
import type { Finding } from "./finding.ts";
import { auditRoutes } from "./routes.ts";
import type { Level } from "./rules.ts";
import { auditService } from "./services.ts";

export { ruleMeaning, type Finding } from "./finding.ts";
export { auditRules, type AuditRule, type Level } from "./rules.ts";

export interface Audit {
  /** Errors first, then by object. */
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<Level, number>>;
  readonly services: number;
  /** What could not be read or was taken for granted, each a sentence. */
  readonly limits: readonly string[];
}

export function audit(snapshot: Snapshot): Audit {
  const world = worldOf(snapshot);
  const services = snapshot.services.flatMap((service) => [...auditService(world, service), ...adviceFor(world, service)]);
  const others = [auditAddresses(snapshot), auditRoutes(world), ndotsWaste(world), modeMigration(world), idlePolicies(world)].flat();
  const findings = [...services, ...others].filter(({ rule }) => rule !== "NotRead").toSorted(inOrder);
  const count = (level: Level) => findings.filter((each) => each.level === level).length;
  const { unread, assumed } = snapshot.config;
  return deepFreeze({
    findings,
    counts: { error: count("error"), warning: count("warning"), note: count("note") },
    services: snapshot.services.length,
    limits: [...unread.map(({ kind, why }) => `${kind} objects could not be read: ${why}`), ...assumed],
  });
}

const ranks: Readonly<Record<Level, number>> = { error: 0, warning: 1, note: 2 };

function inOrder(a: Finding, b: Finding): number {
  return ranks[a.level] - ranks[b.level] || compare(refText(a.ref), refText(b.ref)) || compare(a.rule, b.rule) || compare(a.text, b.text);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
