/** SRV records and the addresses that go with them (RFC 2782; CoreDNS `plugin/backend_lookup.go`, `SRV`). */
import type { Target } from "./find.ts";
import { under } from "./name.ts";
import { addressRecord, classes, recordTypes, type ResourceRecord } from "./records.ts";

/** Every target weighs the same: 100 shared out, at least 1 each. Targets without a port give no record. */
export function serviceRecords(
  targets: readonly Target[],
  name: string,
  origin: string,
  ttl: number,
): { readonly records: readonly ResourceRecord[]; readonly additional: readonly ResourceRecord[] } {
  const weight = Math.max(1, Math.floor(100 / targets.length));
  const records = new Map<string, ResourceRecord>();
  const additional = new Map<string, ResourceRecord>();
  for (const { address = "", port, relative } of targets) {
    if (port === -1) continue;
    const target = under(relative, origin);
    const data = { kind: "srv", priority: 0, weight, port, target } as const;
    const key = `${target} ${port}`;
    if (!records.has(key)) records.set(key, { name, type: recordTypes.SRV, class: classes.IN, ttl, data });
    additional.set(`${target} ${address}`, addressRecord(target, ttl, address));
  }
  return { records: [...records.values()], additional: [...additional.values()] };
}
