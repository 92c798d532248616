/** What a Service does with traffic, in lines that can be compared: the same lines, the same routing. */
import type { EndpointSlice, Service } from "../../../api/types.ts";
import { joinHostPort } from "../../../lib/ip.ts";
import type { PlanEndpoint, PlanNode, PortPlan } from "../../proxy/plan.ts";
import { planService } from "../../proxy/service.ts";
import { isHeadless } from "../../endpoints/select.ts";

/** No node in particular: which endpoints there are, whoever asks. */
const anyNode: PlanNode = { name: "", addresses: [], nodePortAddresses: [], clusterCIDRs: [] };

/** `port http: endpoint 10.244.1.5:8080 (Pod shop/web-1)`; undefined Service: none. */
export function routingLines(service: Service | undefined, slices: readonly EndpointSlice[]): readonly string[] {
  if (service === undefined) return [];
  const { type = "ClusterIP", externalName } = service.spec ?? {};
  if (type === "ExternalName") return [`alias for ${externalName}`];
  if (isHeadless(service)) return headlessLines(slices);
  const plan = planService(service, slices, anyNode);
  if (plan.kind === "skipped") return [`not served: ${plan.reason}`];
  return [
    ...(service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [`load balancer ${ip}`])),
    ...plan.ports.flatMap(portLines),
  ].toSorted();
}

function portLines(port: PortPlan): readonly string[] {
  const name = `port ${port.servicePort.port === "" ? port.port : port.servicePort.port}`;
  const { affinity, internalTrafficPolicy, externalTrafficPolicy } = port;
  const endpoints = new Map(
    port.endpoints.flatMap(({ cluster, local }) => [...cluster, ...local].map((each) => [endpointText(each), each] as const)),
  );
  return [
    `${name}: ${port.port}/${port.protocol}, internal ${internalTrafficPolicy}, external ${externalTrafficPolicy}${affinity.kind === "clientIP" ? `, affinity ${affinity.timeoutSeconds} s` : ""}`,
    ...port.addresses.map(({ kind, address, port: number }) => `${name}: ${kind} ${joinHostPort(address, number)}`),
    ...[...endpoints.keys()].map((text) => `${name}: endpoint ${text}`),
  ];
}

function endpointText({ ip, port, target }: Pick<PlanEndpoint, "ip" | "port" | "target">): string {
  return `${joinHostPort(ip, port)}${target === undefined ? "" : ` (${target})`}`;
}

function headlessLines(slices: readonly EndpointSlice[]): readonly string[] {
  const names = slices.flatMap(({ endpoints = [] }) =>
    endpoints
      .filter(({ conditions }) => conditions?.ready !== false)
      .map(
        ({ addresses, targetRef }) =>
          `name: ${addresses[0]}${targetRef?.name === undefined ? "" : ` (Pod ${targetRef.namespace}/${targetRef.name})`}`,
      ),
  );
  return [...new Set(names)].toSorted();
}
