/** Where Ingresses and Gateways say that they listen. Pure; the server checks the same before it sends anything (src/console/try.ts). */
import type { Ingress } from "../../src/api/types.ts";
import type { GatewayObject } from "../../src/decide/routes/gateway-api/objects.ts";
import { joinHostPort } from "../../src/lib/ip.ts";

export interface ListenAddress {
  readonly scheme: "http" | "https";
  /** `127.0.0.1:8080` */
  readonly via: string;
  /** `http://127.0.0.1:8080` */
  readonly text: string;
}

export function listensAt(ingresses: readonly Ingress[], gateways: readonly GatewayObject[]): readonly ListenAddress[] {
  const found = new Map<string, ListenAddress>();
  const add = (scheme: ListenAddress["scheme"], ip: string, port: number) => {
    const via = joinHostPort(ip, port);
    found.set(`${scheme}://${via}`, { scheme, via, text: `${scheme}://${via}` });
  };
  for (const { status } of ingresses) {
    // The gateway tells its HTTP port first, then that of HTTPS.
    for (const { ip, ports } of status?.loadBalancer?.ingress ?? [])
      (ports?.map(({ port }) => port) ?? [80, 443]).forEach((port, index) => {
        if (ip !== undefined) add(index === 0 ? "http" : "https", ip, port);
      });
  }
  for (const { spec, status } of gateways) {
    for (const { value } of status?.addresses ?? [])
      for (const { protocol, port } of spec.listeners)
        if (value !== undefined && (protocol === "HTTP" || protocol === "HTTPS")) add(protocol === "HTTP" ? "http" : "https", value, port);
  }
  return [...found.values()];
}
