/**
 * The built-in provider: addresses from ranges of this machine. It only gives them out; whoever listens there (the way in, or
 * in loopback mode the proxy) follows the Services' status.
 */
import { objectKey } from "../../api/object.ts";
import type { Service } from "../../api/types.ts";
import { canonicalIp, type IpFamily } from "../../lib/ip.ts";
import { AddressLedger, type AddressRequest, type Assignment } from "./ledger.ts";
import type { Ensured, LoadBalancerProvider } from "./provider.ts";

/** Services with the same value here may have one address together, each with ports of its own. */
export const sharingAnnotation = "fairlead.dev/allow-shared-ip";
export const loopbackClass = "fairlead.dev/loopback";

export interface PoolOptions {
  readonly cidrs: readonly string[];
  /**
   * `VIP`: every node may take the address for its own, so that a pod's packets to it never leave the node. `Proxy`: they go to
   * the load balancer (KEP-1860); for addresses that only the host has.
   */
  readonly ipMode: "VIP" | "Proxy";
  /** Default: Services without a class, and `fairlead.dev/loopback`. */
  readonly classes?: readonly string[];
}

export function createPoolProvider({ cidrs, ipMode, classes = ["", loopbackClass] }: PoolOptions): LoadBalancerProvider {
  const ledger = new AddressLedger(cidrs);
  const { families, text } = ledger.pool;
  const waiting = new Set<string>();
  /** Service → what it uses, so that it is noticed when it gives something up. */
  const uses = new Map<string, string>();
  let freed = false;
  const used = (request: AddressRequest) => {
    const before = uses.get(request.key);
    const now = JSON.stringify([ledger.addressesOf(request.key), request.ports, request.sharing]);
    uses.set(request.key, now);
    if (before !== undefined && before !== now) freed = true;
  };
  return {
    name: "pool",
    classes,
    adopt(services) {
      for (const service of services) {
        const request = requestOf(service, families);
        ledger.adopt(request, ingressAddresses(service));
        used(request);
      }
    },
    async ensure(service) {
      const request = requestOf(service, families);
      const result = ledger.assign(request);
      used(request);
      if (result.kind === "assigned") waiting.delete(request.key);
      else waiting.add(request.key);
      return ensured(result, text, ipMode);
    },
    async delete(key) {
      waiting.delete(key);
      ledger.release(key);
      if (uses.delete(key)) freed = true;
    },
    takeReleased() {
      if (!freed) return [];
      freed = false;
      return [...waiting];
    },
  };
}

function requestOf(service: Service, available: ReadonlySet<IpFamily>): AddressRequest {
  const { spec, metadata } = service;
  const own = (spec?.ipFamilies ?? ["IPv4"]).map((family): IpFamily => (family === "IPv6" ? 6 : 4));
  const fitting = own.filter((family) => available.has(family));
  const wanted = spec?.loadBalancerIP ?? "";
  const sharing = metadata.annotations?.[sharingAnnotation] ?? "";
  return {
    key: objectKey(service),
    // The hop behind the address carries either family to either: better an address of the other one than none.
    families: fitting.length > 0 ? fitting : ([...available].slice(0, 1) as readonly IpFamily[]),
    ports: (spec?.ports ?? []).map(({ protocol = "TCP", port }) => `${protocol}/${port}`),
    ...(wanted === "" ? {} : { wanted: canonicalIp(wanted) }),
    ...(sharing === "" ? {} : { sharing }),
  };
}

function ingressAddresses({ status }: Service): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = "" }) => (ip === "" ? [] : [canonicalIp(ip)]));
}

function ensured(result: Assignment, ranges: string, ipMode: "VIP" | "Proxy"): Ensured {
  switch (result.kind) {
    case "assigned":
      return { kind: "ready", ingress: result.addresses.map((ip) => ({ ip, ipMode })) };
    case "outOfRange":
      return { kind: "pending", message: `spec.loadBalancerIP ${result.address} is not in the load balancers' range ${ranges}` };
    case "taken":
      return { kind: "pending", message: takenText(result) };
    case "exhausted":
      return { kind: "pending", message: `no free IPv${result.family} address in the load balancers' range ${ranges}` };
  }
}

function takenText({ address, by, port }: Extract<Assignment, { kind: "taken" }>): string {
  return port === undefined
    ? `spec.loadBalancerIP ${address} belongs to Service ${by}; to share it, give both the same annotation ${sharingAnnotation}`
    : `spec.loadBalancerIP ${address} is shared with Service ${by}, which uses ${port} already`;
}
