/** A plan for people: each Service port, where it can be reached, who answers, and who does not and why. Pure. */
import {
  proxyReasons,
  servicePortText,
  type PlanEndpoint,
  type PortPlan,
  type ProxyPlan,
  type ServicePlan,
  type SourceClass,
  type Verdict,
  type VirtualAddress,
} from "../../decide/proxy/index.ts";
import { joinHostPort } from "../../lib/ip.ts";
import { table, type Paint } from "../terminal.ts";

export function planText({ node, services }: ProxyPlan, paint: Paint): string {
  const pods = (node.clusterCIDRs ?? []).join(", ");
  const head = `${paint.bold(`Node ${node.name === "" ? "(none in the input)" : node.name}`)}  addresses ${node.addresses.join(", ") || "-"}  pods ${pods || "-"}`;
  return [head, ...services.map((service) => serviceText(service, paint))].join("\n\n");
}

function serviceText(service: ServicePlan, paint: Paint): string {
  const name = paint.bold(`${service.namespace}/${service.name}`);
  if (service.kind === "skipped") return `${name}  ${paint.dim(service.reason)}: ${proxyReasons[service.reason]}`;
  const health = service.healthCheck;
  return [
    name,
    ...service.ports.map((port) => portText(port, paint)),
    ...(health === undefined ? [] : [`  health check on port ${health.port}: ${health.localEndpoints} local endpoints`]),
  ].join("\n");
}

function portText(port: PortPlan, paint: Paint): string {
  const { servicePort, protocol, affinity } = port;
  const sticky = affinity.kind === "none" ? "" : `  clients keep their endpoint for ${affinity.timeoutSeconds} s`;
  const addresses = port.addresses.map((address) => [
    `    ${words[address.kind]}`,
    joinHostPort(address.address, address.port),
    verdictsText(address),
    address.sourceRanges === undefined ? "" : `only from ${address.sourceRanges.join(", ") || "nobody"}`,
  ]);
  const endpoints = port.endpoints.flatMap(({ cluster, local }) => [
    ...new Map([...cluster, ...local].map((one) => [joinHostPort(one.ip, one.port), one])).values(),
  ]);
  const rows = [
    ...endpoints.map((endpoint) => [`    ${paint.green("✓")}`, ...endpointCells(endpoint)]),
    ...port.leftOut.map(({ ip, port: number, reason, policy, target = "" }) => [
      `    ${paint.yellow("✗")}`,
      joinHostPort(ip, number),
      target,
      `${reason}${policy === undefined ? "" : ` (${policy} traffic)`}: ${proxyReasons[reason]}`,
    ]),
  ];
  return [`  ${servicePortText(servicePort)} ${port.port}/${protocol}${sticky}`, ...tableLines(addresses), ...tableLines(rows)].join("\n");
}

const tableLines = (rows: readonly (readonly string[])[]): readonly string[] => (rows.length === 0 ? [] : table(rows).split("\n"));

export function endpointCells({ ip, port, local, nodeName = "", target = "" }: PlanEndpoint): readonly string[] {
  return [joinHostPort(ip, port), target, `${nodeName}${local ? " (this node)" : ""}`];
}

export const words: Readonly<Record<VirtualAddress["kind"], string>> = {
  clusterIP: "cluster IP",
  externalIP: "external IP",
  loadBalancer: "load balancer",
  nodePort: "node port",
};

/** `every endpoint; node, external: masqueraded` */
function verdictsText({ verdicts }: VirtualAddress): string {
  const groups = new Map<string, SourceClass[]>();
  for (const source of ["pod", "node", "external"] as const) {
    const text = verdictText(verdicts[source]);
    groups.set(text, [...(groups.get(text) ?? []), source]);
  }
  return [...groups].map(([text, sources]) => (groups.size === 1 ? text : `${sources.join(", ")}: ${text}`)).join("; ");
}

function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case "dnat":
      return `${verdict.to === "local" ? "endpoints of this node" : "every endpoint"}${verdict.masquerade ? ", masqueraded" : ""}`;
    case "reject":
      return `refused (${verdict.reason})`;
    case "drop":
      return `dropped (${verdict.reason})`;
    default:
      return verdict satisfies never;
  }
}
