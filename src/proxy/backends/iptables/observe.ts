/** What a restore tells kube-proxy's metrics. */
import { countRules } from "../../../decide/proxy/render/iptables/drift.ts";
import type { IptablesRules } from "../../../decide/proxy/render/iptables/rules.ts";
import { familyLabel, type IptablesMetrics } from "../../mode-metrics.ts";

export interface Restored {
  readonly want: IptablesRules;
  /** The lines that iptables-restore got. */
  readonly written: readonly string[];
  readonly partial: boolean;
  readonly ms: number;
}

export function observeRestore(metrics: IptablesMetrics, { want, written, partial, ms }: Restored): void {
  const name = familyLabel(want.family);
  (partial ? metrics.partialSync : metrics.fullSync).labels(name).observe(ms / 1000);
  let table = "";
  const counts = new Map<string, number>();
  for (const line of written) {
    if (line.startsWith("*")) table = line.slice(1);
    else if (line.startsWith("-A ")) counts.set(table, (counts.get(table) ?? 0) + 1);
  }
  for (const each of ["filter", "nat"] as const) {
    metrics.rules.labels(each, name).set(countRules(want, each));
    metrics.written.labels(each, name).set(counts.get(each) ?? 0);
  }
}
