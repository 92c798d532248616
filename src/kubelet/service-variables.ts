/** The variables by which a container finds the Services of its namespace (upstream pkg/kubelet/envvars/envvars.go). */
import type { Pod, Service } from "../api/types.ts";
import { joinHostPort } from "../lib/ip.ts";

/**
 * `{SVC}_SERVICE_HOST`, `{SVC}_SERVICE_PORT[_{NAME}]` and the Docker-link forms `{SVC}_PORT[_{PORT}_{PROTO}[_…]]`.
 * `services`: those that exist when the container starts. Taken are those of the pod's namespace with an address of
 * their own, none with `enableServiceLinks: false`; `default/kubernetes` always.
 */
export function serviceVariables(pod: Pod, services: readonly Service[]): Readonly<Record<string, string>> {
  const links = pod.spec?.enableServiceLinks ?? true;
  const chosen = new Map<string, Service>();
  for (const service of services) {
    const { name = "", namespace } = service.metadata;
    if (!hasAddress(service)) continue;
    const isMaster = namespace === "default" && name === "kubernetes";
    if (namespace === pod.metadata.namespace && (links || isMaster)) chosen.set(name, service);
    else if (isMaster && !chosen.has(name)) chosen.set(name, service);
  }
  return Object.assign({}, ...[...chosen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, service]) => variablesOf(service))) as Record<
    string,
    string
  >;
}

function hasAddress({ spec }: Service): boolean {
  return spec?.type !== "ExternalName" && spec?.clusterIP !== undefined && spec.clusterIP !== "" && spec.clusterIP !== "None";
}

function variablesOf(service: Service): Record<string, string> {
  const prefix = variableName(service.metadata.name ?? "");
  const address = service.spec?.clusterIP ?? "";
  const variables: Record<string, string> = { [`${prefix}_SERVICE_HOST`]: address };
  for (const [i, { port, name = "", protocol = "TCP" }] of (service.spec?.ports ?? []).entries()) {
    if (i === 0) variables[`${prefix}_SERVICE_PORT`] = String(port);
    if (name !== "") variables[`${prefix}_SERVICE_PORT_${variableName(name)}`] = String(port);
    const url = `${protocol.toLowerCase()}://${joinHostPort(address, port)}`;
    if (i === 0) variables[`${prefix}_PORT`] = url;
    const link = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    variables[link] = url;
    variables[`${link}_PROTO`] = protocol.toLowerCase();
    variables[`${link}_PORT`] = String(port);
    variables[`${link}_ADDR`] = address;
  }
  return variables;
}

function variableName(name: string): string {
  return name.replaceAll("-", "_").toUpperCase();
}
