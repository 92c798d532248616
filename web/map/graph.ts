/** What the map draws, from the objects: entrances, Services, endpoints, nodes, and which leads to which. Pure. */
import type { Ingress, Node, Pod } from "../../src/api/types.ts";
import { refText } from "../../src/decide/explain/snapshot.ts";
import type { HttpRoute } from "../../src/decide/routes/gateway-api/objects.ts";
import type { Rates } from "../data/rates.ts";
import type { EndpointRow, ServiceRow } from "../data/service-row.ts";

export interface FlowEntrance {
  /** `Ingress shop/web`, as `refText` gives it; NodePorts and load balancers: `NodePort shop/web`. */
  readonly id: string;
  readonly kind: "Ingress" | "HTTPRoute" | "GRPCRoute" | "NodePort" | "LoadBalancer";
  /** Hosts, or the port. */
  readonly title: string;
  readonly detail: string;
  /** Keys of Services. */
  readonly services: readonly string[];
  readonly rate: number;
}

export interface FlowEndpoint {
  /** `Pod shop/web-1`, or `Endpoint 192.0.2.1:80`. */
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly state: EndpointRow["state"];
  readonly node: string | undefined;
  /** The Service under which it stands. */
  readonly home: string;
  /** Services that have it, with connections a second. */
  readonly rates: ReadonlyMap<string, number>;
}

export interface FlowService {
  readonly id: string;
  readonly row: ServiceRow;
  readonly rate: number;
  /** Those that stand under it. */
  readonly endpoints: readonly FlowEndpoint[];
  /** How many more it has than are drawn. */
  readonly more: number;
}

export interface FlowNode {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly ready: boolean;
}

export interface FlowLink {
  readonly from: string;
  readonly to: string;
  /** Nothing goes there. */
  readonly broken: boolean;
  readonly rate: number;
}

export interface FlowGraph {
  readonly entrances: readonly FlowEntrance[];
  readonly services: readonly FlowService[];
  readonly nodes: readonly FlowNode[];
  readonly links: readonly FlowLink[];
}

export interface FlowInput {
  readonly services: readonly ServiceRow[];
  readonly ingresses: readonly Ingress[];
  readonly httpRoutes: readonly HttpRoute[];
  readonly nodes: readonly Node[];
  readonly pod: (key: string) => Pod | undefined;
  readonly rates: Rates;
  /** What must be drawn, by id: pods, and `inside` as a client of what has another entrance as well. */
  readonly wanted?: ReadonlySet<string>;
}

export const outside = "outside";
export const inside = "inside";

/** Of each Service; the others are counted. */
const mostEndpoints = 6;
const zoneLabel = "topology.kubernetes.io/zone";

export function flowGraph(input: FlowInput): FlowGraph {
  const { services: rows } = input;
  const taken = new Map<string, string>();
  const services = rows.map((row) => flowService(row, input, taken));
  const shown = new Set(rows.map(({ key }) => key));
  const entrances = [...routeEntrances(input), ...rows.flatMap(portEntrances)]
    .map((entrance) => ({ ...entrance, services: entrance.services.filter((key) => shown.has(key)) }))
    .filter((entrance) => entrance.services.length > 0);
  const used = new Set(services.flatMap(({ endpoints }) => endpoints.flatMap(({ node }) => node ?? [])));
  const nodes = input.nodes.map(flowNode).filter(({ name }) => used.has(name) || input.nodes.length <= 6);
  return { entrances, services, nodes: nodes.sort(byZone), links: linksOf(entrances, services, taken, input) };
}

function flowService(row: ServiceRow, { pod, rates, wanted }: FlowInput, taken: Map<string, string>): FlowService {
  const own = row.endpoints.filter((endpoint) => !taken.has(endpointId(endpoint)));
  const first = [...own].sort((a, b) => Number(isWanted(b, wanted)) - Number(isWanted(a, wanted)));
  const drawn = first.slice(0, mostEndpoints).map((endpoint): FlowEndpoint => {
    const id = endpointId(endpoint);
    const node = endpoint.node ?? (endpoint.pod === undefined ? undefined : pod(endpoint.pod)?.spec?.nodeName);
    const name = endpoint.pod?.slice(endpoint.pod.indexOf("/") + 1);
    const rate = rates.endpoint.get(`${row.key} ${endpoint.address}`) ?? 0;
    return {
      id,
      title: name ?? endpoint.text,
      detail: name === undefined ? "no pod" : endpoint.text,
      state: endpoint.state,
      node,
      home: row.key,
      rates: new Map([[row.key, rate]]),
    };
  });
  for (const { id } of drawn) taken.set(id, row.key);
  return { id: serviceId(row.key), row, rate: rates.service.get(row.key) ?? 0, endpoints: drawn, more: own.length - drawn.length };
}

const isWanted = (endpoint: EndpointRow, wanted: ReadonlySet<string> | undefined): boolean => wanted?.has(endpointId(endpoint)) === true;

export const serviceId = (key: string): string => `Service ${key}`;
export const endpointId = ({ pod, text }: EndpointRow): string => (pod === undefined ? `Endpoint ${text}` : `Pod ${pod}`);

function* routeEntrances({ ingresses, httpRoutes, rates }: FlowInput): Generator<FlowEntrance> {
  for (const { metadata, spec } of ingresses) {
    const { namespace = "", name = "" } = metadata;
    const rules = spec?.rules ?? [];
    const backends = [spec?.defaultBackend, ...rules.flatMap(({ http }) => http?.paths.map(({ backend }) => backend) ?? [])];
    yield {
      id: refText({ kind: "Ingress", namespace, name }),
      kind: "Ingress",
      title: hostsText(rules.map(({ host }) => host ?? "any host")),
      detail: name,
      services: unique(backends.flatMap((backend) => (backend?.service === undefined ? [] : [`${namespace}/${backend.service.name}`]))),
      rate: rates.ingress.get(`${namespace}/${name}`) ?? 0,
    };
  }
  for (const { metadata, spec } of httpRoutes) {
    const { namespace = "", name = "" } = metadata;
    const refs = (spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs).filter(({ kind = "Service" }) => kind === "Service");
    yield {
      id: refText({ kind: "HTTPRoute", namespace, name }),
      kind: "HTTPRoute",
      title: hostsText(spec.hostnames ?? ["any host"]),
      detail: name,
      services: unique(refs.map((ref) => `${ref.namespace ?? namespace}/${ref.name}`)),
      rate: rates.ingress.get(`${namespace}/${name}`) ?? 0,
    };
  }
}

function portEntrances(row: ServiceRow): readonly FlowEntrance[] {
  if (row.type !== "NodePort" && row.type !== "LoadBalancer") return [];
  const title = row.type === "NodePort" ? `node port ${row.nodePorts.join(", ")}` : row.external.join(", ") || "no address yet";
  return [{ id: `${row.type} ${row.key}`, kind: row.type, title, detail: row.name, services: [row.key], rate: 0 }];
}

function flowNode({ metadata, status }: Node): FlowNode {
  const { name = "", labels } = metadata;
  return {
    id: refText({ kind: "Node", name }),
    name,
    zone: labels?.[zoneLabel] ?? "",
    ready: status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false,
  };
}

const byZone = (a: FlowNode, b: FlowNode): number => (`${a.zone}\0${a.name}` < `${b.zone}\0${b.name}` ? -1 : 1);

function linksOf(
  entrances: readonly FlowEntrance[],
  services: readonly FlowService[],
  homes: ReadonlyMap<string, string>,
  { rates, wanted }: Pick<FlowInput, "rates" | "wanted">,
): readonly FlowLink[] {
  const links: FlowLink[] = [];
  const entered = new Set<string>();
  for (const { id, services: keys, rate } of entrances) {
    links.push({ from: outside, to: id, broken: false, rate });
    for (const key of keys) {
      entered.add(key);
      const row = services.find((each) => each.row.key === key)?.row;
      links.push({ from: id, to: serviceId(key), broken: row?.state === "none", rate: rate / keys.length });
    }
  }
  for (const { id, row, rate, endpoints } of services) {
    if (!entered.has(row.key) || wanted?.has(inside) === true) links.push({ from: inside, to: id, broken: row.state === "none", rate });
    for (const endpoint of row.endpoints) {
      const to = endpointId(endpoint);
      if (!homes.has(to)) continue;
      const each = rates.endpoint.get(`${row.key} ${endpoint.address}`) ?? 0;
      links.push({ from: id, to, broken: endpoint.state !== "ready", rate: each });
    }
    for (const { id: from, node } of endpoints)
      if (node !== undefined) links.push({ from, to: refText({ kind: "Node", name: node }), broken: false, rate: 0 });
  }
  return links;
}

/** Everything that lies before or behind an element, itself included. */
export function related(links: readonly FlowLink[], id: string): ReadonlySet<string> {
  const found = new Set([id]);
  const walk = (start: string, next: (link: FlowLink, at: string) => string | undefined) => {
    const queue = [start];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      for (const link of links) {
        const to = next(link, at);
        if (to !== undefined && !found.has(to)) {
          found.add(to);
          queue.push(to);
        }
      }
    }
  };
  walk(id, ({ from, to }, at) => (from === at ? to : undefined));
  walk(id, ({ from, to }, at) => (to === at ? from : undefined));
  return found;
}

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)];

function hostsText(hosts: readonly string[]): string {
  const [first = "any host", ...rest] = unique(hosts);
  return rest.length === 0 ? first : `${first} + ${rest.length}`;
}
