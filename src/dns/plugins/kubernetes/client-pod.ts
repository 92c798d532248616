/** What the cluster tells about a query and who asks: labels for `metadata`, the search path for `autopath`. */
import type { DnsIndex, LookupZone } from "../../../decide/dns/index.ts";
import { foldName, matchZone, withoutZone } from "../../../decide/dns/name.ts";
import { parseRequestName } from "../../../decide/dns/request-name.ts";
import { isReverseName } from "../../../decide/dns/reverse.ts";
import type { DnsRequest } from "../../plugin.ts";

type Label = readonly [string, () => string];

/** The namespace of the pod with this address; undefined when there is none, or two that cannot be told apart. */
function namespaceOf(index: DnsIndex, address: string): string | undefined {
  const [only, ...others] = index.podsAt(address.replace(/^::ffff:(?=\d+\.)/i, ""));
  return others.length === 0 ? only : undefined;
}

/** CoreDNS `plugin/kubernetes/metadata.go`. */
export function queryLabels(index: DnsIndex, zones: readonly LookupZone[]): (request: DnsRequest) => readonly Label[] {
  const origins = zones.map(({ origin }) => origin);
  return ({ name, client }) => {
    const namespace = namespaceOf(index, client.address);
    const own: readonly Label[] = namespace === undefined ? [] : [["kubernetes/client-namespace", () => namespace]];
    const zone = zones.find(({ origin }) => origin === matchZone(origins, name));
    if (zone === undefined || isReverseName(zone.origin)) return own;
    const parsed = parseRequestName(withoutZone(name, zone.origin), zone.zonal);
    if (parsed === "invalid") return [...own, ["kubernetes/parse-error", () => "invalid query name"]];
    if (parsed === "apex") return own;
    const told = {
      port: parsed.port,
      protocol: parsed.protocol,
      endpoint: parsed.endpoint,
      service: parsed.service,
      namespace: parsed.namespace,
      kind: parsed.branch,
    };
    return [
      ...own,
      ["kubernetes/port-name", () => told.port],
      ["kubernetes/protocol", () => told.protocol],
      ["kubernetes/endpoint", () => told.endpoint],
      ["kubernetes/service", () => told.service],
      ["kubernetes/namespace", () => told.namespace],
      ["kubernetes/kind", () => told.kind],
    ];
  };
}

/** As the kubelet writes it into the pod's resolv.conf, with the empty domain at the end. Needs `pods verified`. */
export function searchPath(
  index: DnsIndex,
  zone: string,
  machine: readonly string[],
): (request: DnsRequest) => readonly string[] | undefined {
  return ({ client }) => {
    const namespace = namespaceOf(index, client.address);
    if (namespace === undefined) return undefined;
    return [`${foldName(namespace)}.svc.${zone}`, `svc.${zone}`, zone, ...machine, ""];
  };
}
