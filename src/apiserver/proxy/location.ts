/**
 * Where a request through `pods/proxy` or `services/proxy` goes: `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`
 * (apimachinery `pkg/util/net/port_split.go`, `pkg/registry/core/{pod,service}`). Pure.
 */
import { badRequestError, unavailableError } from "../../api/status.ts";
import type { EndpointSlice, Pod, Service } from "../../api/types.ts";

export interface ProxyName {
  readonly scheme: "http" | "https";
  readonly name: string;
  /** A number or a name; empty: none was given. */
  readonly port: string;
}

/** Throws 400. */
export function proxyName(text: string, kind: "pod" | "service"): ProxyName {
  const parts = text.split(":");
  const [scheme, name, port] = parts.length === 3 ? parts : ["", ...parts];
  const known = scheme === "" || scheme === "http" || scheme === "https";
  if (!known || name === undefined || name === "" || parts.length > 3)
    throw badRequestError(`invalid ${kind} request ${JSON.stringify(text)}`);
  return { scheme: scheme === "https" ? "https" : "http", name, port: port ?? "" };
}

/** The port of a pod: the one given, or the first that a container declares. Throws 400. */
export function podPort({ spec }: Pod, port: string): number {
  const declared = (spec?.containers ?? []).flatMap(({ ports = [] }) => ports);
  if (port === "") return declared[0]?.containerPort ?? 80;
  if (/^\d{1,5}$/.test(port)) return Number(port);
  const named = declared.find(({ name }) => name === port);
  if (named === undefined) throw badRequestError(`no port named ${JSON.stringify(port)} in the pod`);
  return named.containerPort;
}

export interface Backend {
  readonly address: string;
  readonly port: number;
  /** The pod behind it, where there is one. */
  readonly pod?: string;
}

/** Every ready endpoint of a Service's port. Throws 503 with upstream's texts. */
export function serviceBackends(service: Service, slices: readonly EndpointSlice[], port: string): readonly Backend[] {
  const name = service.metadata.name ?? "";
  const portName = servicePortName(service, port);
  const backends = slices
    .filter(({ addressType }) => addressType !== "FQDN")
    .flatMap(({ endpoints = [], ports = [] }) => {
      const found = ports.find((one) => (one.name ?? "") === portName)?.port;
      if (found === undefined) return [];
      return endpoints
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses, targetRef }) =>
          addresses.slice(0, 1).map((address) => ({
            address,
            port: found,
            ...(targetRef?.kind === "Pod" && targetRef.name !== undefined ? { pod: targetRef.name } : {}),
          })),
        );
    });
  if (backends.length === 0) throw unavailableError(`no endpoints available for service ${JSON.stringify(name)}`);
  return backends;
}

/** Without a port, that of a Service which has only one. */
function servicePortName({ metadata, spec }: Service, port: string): string {
  const ports = spec?.ports ?? [];
  if (port === "" && ports.length === 1) return ports[0]?.name ?? "";
  if (!/^\d{1,5}$/.test(port)) return port;
  const found = ports.find((one) => one.port === Number(port));
  if (found === undefined) throw unavailableError(`no service port ${port} found for service ${JSON.stringify(metadata.name)}`);
  return found.name ?? "";
}
