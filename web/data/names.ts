/** What the cluster's DNS answers about a Service, and about any name, by the very function that the DNS server asks. Pure. */
import { lookup } from "../../src/decide/dns/lookup.ts";
import { recordTypes, typeName, type ResourceRecord } from "../../src/decide/dns/records.ts";
import { dnsView, zoneOf } from "../../src/decide/explain/dns-view.ts";
import type { Snapshot } from "../../src/decide/explain/snapshot.ts";
import { worldOf } from "../../src/decide/explain/world.ts";
import type { Service } from "../../src/api/types.ts";

export type QueryType = "A" | "AAAA" | "SRV" | "CNAME";
export const queryTypes: readonly QueryType[] = ["A", "AAAA", "SRV", "CNAME"];

export interface NameAnswer {
  readonly name: string;
  readonly type: QueryType;
  readonly kind: "answer" | "noData" | "nameError" | "outside";
  /** Stable, as in docs/dns.md. */
  readonly reason: string;
  /** `30 A 10.96.0.7` */
  readonly records: readonly string[];
}

/** `name`: whole, with or without its final dot. */
export function answerTo(snapshot: Snapshot, name: string, type: QueryType): NameAnswer {
  const absolute = name.endsWith(".") ? name : `${name}.`;
  const zone = zoneOf(snapshot.config);
  const folded = absolute.toLowerCase();
  if (folded !== zone.origin && !folded.endsWith(`.${zone.origin}`))
    return { name: absolute, type, kind: "outside", reason: "OutsideTheZone", records: [] };
  const result = lookup(dnsView(worldOf(snapshot)), absolute, recordTypes[type], zone);
  const records = result.kind === "answer" ? result.records.map(recordLine) : [];
  return { name: absolute, type, kind: result.kind, reason: result.reason, records };
}

/** The questions that clients ask about a Service. */
export function namesOf(service: Service, domain: string): readonly { readonly name: string; readonly type: QueryType }[] {
  const { namespace = "default", name = "" } = service.metadata;
  const own = `${name}.${namespace}.svc.${domain}`;
  const families = service.spec?.ipFamilies ?? ["IPv4"];
  const addresses = families.map((family): QueryType => (family === "IPv6" ? "AAAA" : "A"));
  const ports = (service.spec?.ports ?? []).flatMap(({ name: port, protocol = "TCP" }) =>
    port === undefined || port === "" ? [] : [{ name: `_${port}._${protocol.toLowerCase()}.${own}`, type: "SRV" as const }],
  );
  return [...addresses.map((type) => ({ name: own, type })), ...ports];
}

function recordLine({ type, ttl, data }: ResourceRecord): string {
  return `${ttl} ${typeName(type)} ${dataText(data)}`;
}

/** Of the kinds that a cluster's zone holds. */
function dataText(data: ResourceRecord["data"]): string {
  switch (data.kind) {
    case "address":
      return data.address;
    case "name":
      return data.target;
    case "srv":
      return `${data.priority} ${data.weight} ${data.port} ${data.target}`;
    case "txt":
      return data.strings.map((text) => JSON.stringify(text)).join(" ");
    default:
      return data.kind;
  }
}
