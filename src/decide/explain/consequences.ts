/** What the clients of a Service see in its present state. */
import type { Service } from "../../api/types.ts";
import { isHeadless } from "../endpoints/select.ts";

/** `endpoints`: the ready ones. Sentences; none when the Service works. */
export function consequences(service: Service, endpoints: readonly string[]): readonly string[] {
  if (endpoints.length > 0) return [];
  const name = `${service.metadata.name}.${service.metadata.namespace}.svc`;
  const { type, clusterIPs = [], clusterIP, ports = [], externalName } = service.spec ?? {};
  if (type === "ExternalName") return [`${name} resolves to ${externalName}; the proxy has no part in it.`];
  if (isHeadless(service)) return [`${name} resolves to no address (no A or AAAA record).`];
  const addresses = clusterIPs.length > 0 ? clusterIPs : clusterIP === undefined ? [] : [clusterIP];
  const nodePorts = ports.flatMap(({ nodePort }) => (nodePort === undefined ? [] : [nodePort]));
  return [
    `${name} still resolves to ${addresses.join(", ")}; connections to ${addresses.length > 1 ? "these addresses are" : "it are"} refused at once.`,
    ...(nodePorts.length === 0 ? [] : [`Connections to node port ${nodePorts.join(", ")} are refused as well.`]),
  ];
}
