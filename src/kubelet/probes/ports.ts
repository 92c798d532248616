/** Ports of probes and hooks: a number, or the name of one of the container's ports. */
import type { Container } from "../../api/types.ts";

export type PortResult = { readonly kind: "ok"; readonly port: number } | { readonly kind: "error"; readonly message: string };

export function containerPort(container: Container, port: number | string): PortResult {
  if (typeof port === "number") return inRange(port);
  const named = container.ports?.find(({ name }) => name === port);
  if (named !== undefined) return inRange(named.containerPort);
  if (/^\d+$/.test(port)) return inRange(Number(port));
  return { kind: "error", message: `couldn't find port: ${JSON.stringify(port)} in container ${container.name}` };
}

function inRange(port: number): PortResult {
  return port > 0 && port < 65_536 ? { kind: "ok", port } : { kind: "error", message: `invalid port number: ${port}` };
}
