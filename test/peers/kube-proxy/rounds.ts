/** What comparisons with the real kube-proxy share: the node, and a round: the API brought to a state, with a marker that shows when kube-proxy has seen it. */
import { spawnSync } from "node:child_process";
import { endpointSlices, services } from "../../../src/api/resources.ts";
import type { EndpointSlice } from "../../../src/api/types.ts";
import type { Client } from "../../../src/client/client.ts";
import type { PlanNode } from "../../../src/decide/proxy/index.ts";
import type { RulesTrace } from "../../../src/decide/proxy/render/nftables-trace.ts";
import { startBareApi, type BareApi } from "../../support/bare-api.ts";
import { nodeAddresses, nodeName, podCIDRs, serviceRange, zone, type State } from "./states.ts";

/** kube-proxy has every change so far when its rules show the marker's newest ports. */
export const marker = {
  name: "marker",
  ip4: "10.96.0.250",
  ip6: "fd00:10:96::fa",
  pod4: "10.244.9.9",
  pod6: "fd00:10:244:9::9",
  firstPort: 20_000,
};

export const planNode: PlanNode = {
  name: nodeName,
  labels: { "topology.kubernetes.io/zone": zone },
  addresses: Object.values(nodeAddresses),
  nodePortAddresses: Object.values(nodeAddresses),
  clusterCIDRs: podCIDRs,
};

function ip(...words: string[]): void {
  const done = spawnSync("ip", words, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`ip ${words.join(" ")}: ${done.stderr || done.error?.message}`);
}

/** Of the namespace that the caller is in. */
export function makeNetwork(): void {
  ip("link", "set", "lo", "up");
  for (const address of Object.values(nodeAddresses))
    ip("address", "add", address.includes(":") ? `${address}/128` : `${address}/32`, "dev", "lo");
}

/** Brings the API to the state, from whatever it holds, and the marker to the round's ports last. */
export async function apply(client: Client, wanted: State, round: number): Promise<void> {
  const present = (await client.list(services)).items.filter(({ metadata }) => metadata.name?.startsWith("service-"));
  for (const { metadata } of present) await client.delete(services, { namespace: "default", name: metadata.name as string });
  const old = (await client.list(endpointSlices)).items.filter(({ metadata }) => metadata.name?.startsWith("service-"));
  for (const { metadata } of old) await client.delete(endpointSlices, { namespace: "default", name: metadata.name as string });
  for (const slice of wanted.slices) await client.create(endpointSlices, slice);
  for (const service of wanted.services) {
    const created = await client.create(services, service);
    if (service.status !== undefined) await client.updateStatus(services, { ...created, status: service.status });
  }
  await mark(client, round);
}

const markerSlice = (family: 4 | 6, round: number): EndpointSlice => ({
  metadata: { namespace: "default", name: `${marker.name}-${family}`, labels: { "kubernetes.io/service-name": marker.name } },
  addressType: `IPv${family}`,
  endpoints: [{ addresses: [family === 4 ? marker.pod4 : marker.pod6], conditions: { ready: true } }],
  ports: [{ name: "", port: marker.firstPort + round, protocol: "TCP" }],
});

async function mark(client: Client, round: number): Promise<void> {
  const port = { port: marker.firstPort + round, protocol: "TCP", targetPort: marker.firstPort + round };
  if (round === 0) {
    for (const family of [4, 6] as const) await client.create(endpointSlices, markerSlice(family, 0));
    await client.create(services, {
      metadata: { namespace: "default", name: marker.name },
      spec: {
        clusterIP: marker.ip4,
        clusterIPs: [marker.ip4, marker.ip6],
        ipFamilyPolicy: "RequireDualStack",
        ipFamilies: ["IPv4", "IPv6"],
        ports: [port],
      },
    } as never);
    return;
  }
  for (const family of [4, 6] as const) {
    const ref = { namespace: "default", name: `${marker.name}-${family}` };
    await client.patch(endpointSlices, ref, "application/merge-patch+json", { ports: markerSlice(family, round).ports });
  }
  await client.patch(services, { namespace: "default", name: marker.name }, "application/merge-patch+json", { spec: { ports: [port] } });
}

/** A trace as text that can be compared. */
export function textOf(trace: RulesTrace): string {
  if (trace.kind !== "dnat") return trace.kind;
  const each = trace.endpoints.map(({ ip, port, masquerade }) => `${ip} ${port}${masquerade ? " masqueraded" : ""}`);
  return [...new Set(each)].sort().join(", ");
}

/** An API server of ours with the node. */
export function startApi(): Promise<BareApi> {
  return startBareApi({
    serviceRange,
    node: {
      name: nodeName,
      addresses: Object.values(nodeAddresses),
      podCIDRs: ["10.244.1.0/24", "fd00:10:244:1::/64"],
      labels: { "topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": nodeName },
    },
  });
}
