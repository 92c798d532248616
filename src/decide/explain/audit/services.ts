/** Services that nothing is behind, or not everything that should be. */
import type { Service, ServicePort } from "../../../api/types.ts";
import { joinHostPort } from "../../../lib/ip.ts";
import { isHeadless } from "../../endpoints/select.ts";
import { emptyCause } from "../cause.ts";
import { declaredPorts } from "../pod-fault.ts";
import { refOf } from "../snapshot.ts";
import { listed, plural } from "../walk.ts";
import type { World } from "../world.ts";
import { causeFinding, finding, type Finding } from "./finding.ts";

export function auditService(world: World, service: Service): readonly Finding[] {
  const ref = refOf("Service", service);
  const { type, externalName = "", ports = [] } = service.spec ?? {};
  if (type === "ExternalName") return auditAlias(world, service, externalName);
  const found: Finding[] = [];
  for (const [index, port] of ports.entries()) {
    const endpoints = endpointsOf(world, service, port);
    if (endpoints.length === 0) {
      const cause = causeFinding(emptyCause(world, { service, port }), ref);
      // Several ports of a Service are empty for one reason most often.
      if (!found.some(({ rule, text }) => rule === cause.rule && text === cause.text)) found.push(cause);
    } else found.push(...undeclared(world, service, port, index, endpoints));
  }
  if (
    ports.length === 0 &&
    isHeadless(service) &&
    !world.slicesOf(ref.namespace ?? "", ref.name).some(({ endpoints = [] }) => endpoints.length > 0)
  )
    found.push(causeFinding(emptyCause(world, { service, port: { port: 0 } }), ref));
  return found;
}

interface PortEndpoint {
  readonly address: string;
  readonly number: number;
  readonly pod: { readonly namespace: string; readonly name: string } | undefined;
}

function endpointsOf(world: World, { metadata }: Service, { name = "", protocol = "TCP" }: ServicePort): readonly PortEndpoint[] {
  return world.slicesOf(metadata.namespace ?? "", metadata.name ?? "").flatMap(({ ports = [], endpoints = [] }) => {
    const number = ports.find((port) => (port.name ?? "") === name && (port.protocol ?? "TCP") === protocol)?.port;
    if (number === undefined) return [];
    return endpoints
      .filter(({ conditions }) => conditions?.ready !== false)
      .map(({ addresses, targetRef }): PortEndpoint => ({
        address: addresses[0] ?? "",
        number,
        pod: targetRef?.name === undefined ? undefined : { namespace: targetRef.namespace ?? "", name: targetRef.name },
      }));
  });
}

function undeclared(
  world: World,
  service: Service,
  port: ServicePort,
  index: number,
  endpoints: readonly PortEndpoint[],
): readonly Finding[] {
  const dead = endpoints.filter(({ number, pod }) => {
    const found = pod === undefined ? undefined : world.pod(pod.namespace, pod.name);
    const declared = found === undefined ? [] : declaredPorts(found, port.protocol ?? "TCP");
    return declared.length > 0 && !declared.includes(number);
  });
  const [first] = dead;
  if (first === undefined) return [];
  const ref = refOf("Service", service);
  const field = `spec.ports[${index}].targetPort`;
  const pod = world.pod(first.pod?.namespace ?? "", first.pod?.name ?? "");
  const declared = pod === undefined ? [] : declaredPorts(pod, port.protocol ?? "TCP");
  const changes = declared.map((to) => `Set targetPort of port ${port.port} to ${to}`);
  const text = `${plural(dead.length, "pod")} of ${endpoints.length} behind port ${port.port} declare ${listed(declared.map(String))} and not ${first.number}, such as ${joinHostPort(first.address, first.number)}`;
  if (dead.length < endpoints.length) return [finding("SomeEndpointsDead", ref, field, text, changes)];
  return [{ rule: "TargetPortNotDeclared", level: "warning", ref, field, text, changes }];
}

/** What of an alias can be seen without asking a server. */
function auditAlias(world: World, service: Service, target: string): readonly Finding[] {
  const ref = refOf("Service", service);
  const at = (rule: "AliasIsAddress" | "AliasOfItself" | "AliasLeadsNowhere", text: string): Finding => ({
    rule,
    level: "error",
    ref,
    field: "spec.externalName",
    text,
    changes: [],
  });
  if (/^\d+\.\d+\.\d+\.\d+$/.test(target) || target.includes(":"))
    return [at("AliasIsAddress", `externalName ${target} is an address: DNS cannot answer with it`)];
  const suffix = `.svc.${world.snapshot.config.clusterDomain}`;
  const name = target.replace(/\.$/, "");
  if (!name.endsWith(suffix)) return [];
  const [other = "", namespace = ""] = name.slice(0, -suffix.length).split(".").slice(-2);
  if (other === ref.name && namespace === ref.namespace) return [at("AliasOfItself", `externalName ${target} is the Service itself`)];
  return world.service(namespace, other) === undefined
    ? [at("AliasLeadsNowhere", `externalName ${target}: there is no Service ${namespace}/${other}`)]
    : [];
}
