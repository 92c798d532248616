/**
 * What leads from HNS's objects to the wanted ones. Ours are known by their ids, which come from what they say: what is there already
 * stays, what says something else is another. Pure.
 */
import { createHash } from "node:crypto";
import type { HcnEndpoint, HcnLoadBalancer } from "./hcn.ts";
import type { KernelspaceState } from "./render.ts";

export interface HcnState {
  /** Ids. */
  readonly loadBalancers: readonly string[];
  /** Of everybody; those of pods here were made by the CNI plugin. */
  readonly endpoints: readonly { readonly id: string; readonly addresses: readonly string[] }[];
}

export type HcnOperation =
  | { readonly kind: "createEndpoint"; readonly id: string; readonly endpoint: HcnEndpoint }
  | { readonly kind: "deleteEndpoint"; readonly id: string }
  | { readonly kind: "createLoadBalancer"; readonly id: string; readonly loadBalancer: HcnLoadBalancer }
  | { readonly kind: "deleteLoadBalancer"; readonly id: string };

export interface HcnChange {
  readonly operations: readonly HcnOperation[];
  /** Service ports whose policy names an endpoint on this node that HNS does not know: its pod has no network yet. */
  readonly waiting: readonly string[];
}

/** Endpoints come before the policies that name them, and go after those. */
export function hcnOperations(have: HcnState, want: KernelspaceState): HcnChange {
  const idOf = new Map(have.endpoints.flatMap(({ id, addresses }) => addresses.map((address) => [address, id.toLowerCase()] as const)));
  const remote = new Map(want.endpoints.map((endpoint) => [addressOf(endpoint), endpoint]));
  const created: HcnOperation[] = [];
  for (const [address, endpoint] of remote) {
    if (idOf.has(address)) continue;
    const id = guid("endpoint", endpoint);
    idOf.set(address, id);
    created.push({ kind: "createEndpoint", id, endpoint });
  }
  const { policies, waiting } = withIds(want, idOf);
  const standing = new Set(have.loadBalancers.map((id) => id.toLowerCase()));
  const stale = [...standing].filter((id) => isOurs(id) && !policies.has(id));
  const fresh = [...policies].filter(([id]) => !standing.has(id));
  const unused = have.endpoints.filter(({ id, addresses }) => isOurs(id) && !addresses.some((address) => remote.has(address)));
  return {
    operations: [
      ...created,
      // HNS refuses two policies for one address and port: the old one goes first.
      ...stale.map((id): HcnOperation => ({ kind: "deleteLoadBalancer", id })),
      ...fresh.map(([id, loadBalancer]): HcnOperation => ({ kind: "createLoadBalancer", id, loadBalancer })),
      ...unused.map(({ id }): HcnOperation => ({ kind: "deleteEndpoint", id: id.toLowerCase() })),
    ],
    waiting,
  };
}

function withIds({ policies }: KernelspaceState, idOf: ReadonlyMap<string, string>) {
  const named = new Map<string, HcnLoadBalancer>();
  const waiting: string[] = [];
  for (const { servicePort, loadBalancer } of policies) {
    const ids = loadBalancer.HostComputeEndpoints.map((address) => idOf.get(address));
    const known = ids.filter((id) => id !== undefined);
    if (known.length < ids.length) waiting.push(servicePort);
    if (known.length === 0) continue;
    const whole = { ...loadBalancer, HostComputeEndpoints: known };
    named.set(guid("policy", whole), whole);
  }
  return { policies: named, waiting };
}

const addressOf = ({ IpConfigurations }: HcnEndpoint): string => IpConfigurations[0]?.IpAddress ?? "";

/** Marks what is ours among everybody's ids. */
const ours = "fa17ead0";
const isOurs = (id: string) => id.toLowerCase().startsWith(ours);

/** Of version 8: its bits are the maker's own (RFC 9562 5.8). */
function guid(what: string, content: object): string {
  const digest = createHash("sha256")
    .update(`${what} ${JSON.stringify(content)}`)
    .digest("hex");
  return `${ours}-${digest.slice(0, 4)}-8${digest.slice(4, 7)}-8${digest.slice(7, 10)}-${digest.slice(10, 22)}`;
}
