/** Short ways to write the objects of route tests. */
import type { HTTPIngressPath, Ingress, IngressSpec } from "../../api/types.ts";
import { requestHost } from "./host.ts";
import { ingressController, type ClassPolicy } from "./ingress-class.ts";
import type { RouteRequest } from "./match.ts";
import { processors, type Processed, type RouteObjects } from "./processors.ts";
import type { Listener } from "./route-table.ts";

export const testPolicy: ClassPolicy = { controller: ingressController, standInFor: ["nginx"], serveClassless: true };

export function ingress(name: string, spec: IngressSpec, metadata: Partial<Ingress["metadata"]> = {}): Ingress {
  return { metadata: { namespace: "default", name, creationTimestamp: "2026-01-01T00:00:00Z", ...metadata }, spec };
}

export function path(text: string | undefined, pathType: string, service = "web", number = 80): HTTPIngressPath {
  return { ...(text === undefined ? {} : { path: text }), pathType, backend: { service: { name: service, port: { number } } } };
}

export function processed(objects: Partial<RouteObjects>, policy: ClassPolicy = testPolicy): Processed {
  return processors({ ingresses: [], ingressClasses: [], services: [], endpointSlices: [], ...objects }, policy);
}

export function httpListener({ routeTable }: Processed): Listener {
  return routeTable.listeners[0] as Listener;
}

/** `GET http://shop.test/a?b=c` */
export function request(url: string, method = "GET", headers: Readonly<Record<string, string>> = {}): RouteRequest {
  const [, authority = "", path = "", query = ""] = /^https?:\/\/([^/?]*)([^?]*)(?:\?(.*))?$/.exec(url) ?? [];
  const parameters = new URLSearchParams(query);
  return {
    host: requestHost(authority),
    path: path === "" ? "/" : path,
    method,
    header: (name) => headers[name],
    query: (name) => parameters.get(name) ?? undefined,
  };
}
