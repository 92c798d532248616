/** `fairlead explain --all`: what is wrong, or will be, in a cluster or in manifests. */
import { audit as auditSnapshot, type Audit, type Finding } from "../../decide/explain/audit/audit.ts";
import { refText } from "../../decide/explain/snapshot.ts";
import { table, type Paint, type Terminal } from "../terminal.ts";
import { readSnapshot, type SnapshotChoice } from "./read-snapshot.ts";
import { sarif } from "./sarif.ts";

export interface AuditOptions extends SnapshotChoice {
  readonly namespace?: string;
  readonly output: "text" | "json" | "sarif";
}

/** Exit code 1: an error was found. `-n` keeps to one namespace. */
export async function audit(options: AuditOptions, terminal: Terminal): Promise<number> {
  const { snapshot, manifests } = await readSnapshot(options);
  const whole = auditSnapshot(snapshot);
  const made = options.namespace === undefined ? whole : onlyIn(options.namespace, whole);
  terminal.print(printed(made));
  return made.counts.error > 0 ? 1 : 0;

  function printed(result: Audit): string {
    switch (options.output) {
      case "json":
        return JSON.stringify(result, null, 2);
      case "sarif":
        return JSON.stringify(sarif(result.findings, manifests), null, 2);
      case "text":
        return auditText(result, terminal.paint);
    }
  }
}

function onlyIn(namespace: string, { findings: all, ...rest }: Audit): Audit {
  const findings = all.filter(({ ref }) => (ref.namespace ?? namespace) === namespace);
  const count = (level: Finding["level"]) => findings.filter((each) => each.level === level).length;
  return { ...rest, findings, counts: { error: count("error"), warning: count("warning"), note: count("note") } };
}

function auditText({ findings, counts, services, limits }: Audit, paint: Paint): string {
  const colours = { error: paint.red, warning: paint.yellow, note: paint.dim } as const;
  const lines = findings.flatMap(({ level, rule, ref, text, changes }) => [
    `${colours[level](level.padEnd(7))} ${paint.bold(refText(ref))}  ${paint.dim(rule)}\n        ${text}`,
    ...changes.slice(0, 2).map((change) => `        → ${change}`),
  ]);
  const summary = `${services} Services: ${counts.error} errors, ${counts.warning} warnings, ${counts.note} notes`;
  const total = counts.error > 0 ? paint.red(summary) : paint.green(summary);
  const granted = limits.length === 0 ? [] : ["", table(limits.map((limit) => [paint.dim(limit)]))];
  return [total, ...(lines.length === 0 ? [] : ["", ...lines]), ...granted].join("\n");
}
