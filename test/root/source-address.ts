/**
 * Whom an endpoint sees: every kind of client at every kind of address, by both policies. One node has the endpoint and is asked by
 * everybody, so that nothing is refused for want of a local one. `source-address.test.ts` makes the table of docs/source-address.md of it.
 */
import { spawnSync } from "node:child_process";
import type { Service, ServiceSpec } from "../../src/api/types.ts";
import { askTcp, tcpPort, type Rig } from "./proxy-rig.ts";

export const clients = ["pod", "node", "outside"] as const;
export type Client = (typeof clients)[number];

type Policy = "Cluster" | "Local";

export interface Way {
  /** Of the Service. */
  readonly name: string;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "external IP";
  readonly policy: Policy;
  readonly spec: Partial<ServiceSpec>;
  readonly status?: Service["status"];
  /** IPv4 first. */
  readonly addresses: (rig: Rig) => readonly string[];
  readonly port: number;
}

const ports = [{ name: "", port: 80, protocol: "TCP", targetPort: tcpPort }];

function way(type: Way["type"], policy: Policy, n: number): Way {
  const clusterIPs = [`10.96.0.${n}`, `fd00:10:96::${n}`];
  const others = [`192.0.2.${n}`, `2001:db8::${n}`];
  const dual = { clusterIPs, ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack", ports } as const;
  const common = { name: `seen-${n}`, type, policy, port: 80 };
  const external = { ...dual, externalTrafficPolicy: policy };
  switch (type) {
    case "ClusterIP":
      return { ...common, spec: { ...dual, internalTrafficPolicy: policy } as never, addresses: () => clusterIPs };
    case "NodePort": {
      const port = 30_000 + n;
      const spec = { ...external, type, ports: [{ ...ports[0], nodePort: port }] };
      return { ...common, port, spec: spec as never, addresses: (rig) => rig.nodes[0]?.addresses ?? [] };
    }
    case "LoadBalancer": {
      const status = { loadBalancer: { ingress: others.map((ip) => ({ ip })) } };
      return { ...common, spec: { ...external, type, allocateLoadBalancerNodePorts: false } as never, status, addresses: () => others };
    }
    case "external IP":
      return { ...common, spec: { ...external, externalIPs: others } as never, addresses: () => others };
    default:
      return type satisfies never;
  }
}

export const ways: readonly Way[] = (["ClusterIP", "NodePort", "LoadBalancer", "external IP"] as const).flatMap((type, i) =>
  (["Cluster", "Local"] as const).map((policy, k) => way(type, policy, 60 + 2 * i + k)),
);

export type Seen = "client" | "node" | "refused" | "dropped";
/** By `way client`, of both families. */
export type Sightings = ReadonlyMap<string, Seen>;

export const cell = ({ name }: Way, client: Client, family: 4 | 6) => `${name} ${client} IPv${family}`;

/** The Services of all ways, with one endpoint on the first node; clients outside know the way to their addresses. */
export async function serveWays(rig: Rig): Promise<void> {
  for (const { name, spec, status } of ways) {
    rig.service(name, spec, status);
    rig.endpoints(name, [rig.pods.a]);
  }
  const [node] = rig.nodes;
  for (const one of ways.filter(({ type }) => type !== "NodePort")) {
    for (const [i, address] of one.addresses(rig).entries()) {
      const done = spawnSync("nsenter", [`--net=${rig.outside.path}`, "ip", "route", "replace", address, "via", node?.addresses[i] ?? ""]);
      if (done.status !== 0) throw new Error(`ip route: ${String(done.stderr)}`);
    }
  }
  await rig.settled();
}

/** Asks each way from everywhere. */
export async function look(rig: Rig): Promise<Sightings> {
  const node = rig.nodes[0];
  if (node === undefined) throw new Error("no node");
  const from = {
    pod: { network: rig.pods.b.network, addresses: rig.pods.b.addresses },
    node: { network: node, addresses: node.addresses },
    outside: { network: rig.outside, addresses: rig.outside.addresses },
  };
  const seen = new Map<string, Seen>();
  const one = async (w: Way, client: Client, family: 4 | 6) => {
    const i = family === 4 ? 0 : 1;
    const answer = await askTcp(from[client].network, w.addresses(rig)[i] as string, w.port, 5000);
    seen.set(cell(w, client, family), sightOf(answer, from[client].addresses[i], node.addresses[i]));
  };
  await Promise.all(ways.flatMap((w) => clients.flatMap((client) => ([4, 6] as const).map((family) => one(w, client, family)))));
  return seen;
}

function sightOf(answer: string, client: string | undefined, node: string | undefined): Seen {
  if (answer === "ECONNREFUSED") return "refused";
  if (answer === "ETIMEDOUT") return "dropped";
  const address = answer.replace(/^a (?:::ffff:)?/, "");
  // The node's own address is both.
  if (address === client) return "client";
  if (address === node) return "node";
  throw new Error(`neither the client ${client} nor the node ${node} was seen, but: ${answer}`);
}
