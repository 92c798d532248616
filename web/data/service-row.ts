/** What a list shows of a Service. Pure. */
import type { Endpoint, EndpointSlice, Service } from "../../src/api/types.ts";
import { joinHostPort } from "../../src/lib/ip.ts";

/** `alias`: ExternalName, which needs no endpoints. */
export type ServiceState = "ready" | "partial" | "none" | "alias";

export interface EndpointRow {
  /** First address; with the first port where there is one: `10.244.0.7:8080`. */
  readonly text: string;
  readonly address: string;
  readonly ports: readonly number[];
  readonly state: "ready" | "serving" | "notReady" | "terminating";
  /** `shop/web-1`; undefined: no pod. */
  readonly pod: string | undefined;
  readonly node: string | undefined;
  readonly zone: string | undefined;
  readonly hints: readonly string[];
}

export interface ServiceRow {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
  /** `None` for headless. */
  readonly clusterIP: string;
  /** `http 80→8080/TCP` */
  readonly ports: readonly string[];
  readonly nodePorts: readonly number[];
  /** Of its load balancer. */
  readonly external: readonly string[];
  readonly endpoints: readonly EndpointRow[];
  readonly ready: number;
  readonly state: ServiceState;
  /** What a search looks in, in lower case. */
  readonly words: string;
}

export function serviceRow(service: Service, slices: readonly EndpointSlice[]): ServiceRow {
  const { namespace = "", name = "" } = service.metadata;
  const { type = "ClusterIP", clusterIP = "", ports = [], externalName } = service.spec ?? {};
  const endpoints = endpointRows(slices);
  const ready = endpoints.filter(({ state }) => state === "ready").length;
  const portTexts = ports.map(
    ({ name: port, port: number, targetPort, protocol = "TCP" }) =>
      `${port === undefined || port === "" ? "" : `${port} `}${number}${targetPort === undefined || targetPort === number ? "" : `→${targetPort}`}/${protocol}`,
  );
  const shown = type === "ExternalName" ? (externalName ?? "") : clusterIP;
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    type,
    clusterIP: shown,
    ports: portTexts,
    nodePorts: ports.flatMap(({ nodePort }) => nodePort ?? []),
    external: (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []),
    endpoints,
    ready,
    state: type === "ExternalName" ? "alias" : ready === 0 ? "none" : ready === endpoints.length ? "ready" : "partial",
    words: `${namespace}/${name} ${type} ${shown} ${portTexts.join(" ")}`.toLowerCase(),
  };
}

/** One for each pod or address, in order; an endpoint of two families is one of each. */
export function endpointRows(slices: readonly EndpointSlice[]): readonly EndpointRow[] {
  const rows = slices.flatMap(({ endpoints = [], ports = [] }) =>
    endpoints.map(({ addresses, conditions, targetRef, nodeName, zone, hints }): EndpointRow => {
      const [address = ""] = addresses;
      const numbers = ports.flatMap(({ port }) => port ?? []);
      return {
        text: numbers[0] === undefined ? address : joinHostPort(address, numbers[0]),
        address,
        ports: numbers,
        state: stateOf(conditions ?? {}),
        pod: targetRef?.kind === "Pod" ? `${targetRef.namespace}/${targetRef.name}` : undefined,
        node: nodeName,
        zone,
        hints: (hints?.forZones ?? []).map((hint) => hint.name),
      };
    }),
  );
  return rows.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
}

/** What is not said counts as ready, and as serving what is ready (`discovery.k8s.io/v1` EndpointConditions). */
function stateOf({ ready, serving, terminating }: NonNullable<Endpoint["conditions"]>): EndpointRow["state"] {
  if (ready !== false) return "ready";
  if (terminating === true) return serving === true ? "serving" : "terminating";
  return "notReady";
}
