/**
 * Where Services get addresses and ports from. ServiceCIDRs open and close ranges (KEP-1880), and an IPAddress that somebody made
 * himself keeps its address from Services; both are looked up in the store when something is allocated, so they count from the moment
 * that their write is answered.
 */
import { ServiceAllocator } from "../api/allocate/service.ts";
import type { Draft, KubeObject } from "../api/object.ts";
import type { AllocationOutcome } from "../api/prepare.ts";
import { ipAddresses, serviceCidrs } from "../api/resources.ts";
import type { IPAddress, Service, ServiceCIDR } from "../api/types.ts";
import { FairleadError } from "../lib/errors.ts";
import { parseCidr, type Cidr } from "../lib/ip.ts";
import type { Store } from "./store.ts";

export interface ServicePoolsOptions {
  readonly store: Pick<Store, "resource">;
  readonly clusterIPRanges: readonly string[];
  /** `30000-32767` */
  readonly nodePortRange: string;
  /** [0, 1) */
  readonly random: () => number;
}

/** On IPAddresses that follow from a Service: the allocator's own book is the truth about those. */
const managedByLabel = "ipaddress.kubernetes.io/managed-by";
const managedBy = "ipallocator.k8s.io";

export class ServicePools {
  readonly allocator: ServiceAllocator;
  readonly #store: Pick<Store, "resource">;
  /** The change of ServiceCIDRs up to which the ranges are known. */
  #known = -1;

  /** Throws FL_CONFIG for ranges that cannot be read. */
  constructor({ store, clusterIPRanges, nodePortRange, random }: ServicePoolsOptions) {
    this.#store = store;
    this.allocator = new ServiceAllocator({
      clusterIpRanges: readRanges(clusterIPRanges),
      nodePortRange: readPorts(nodePortRange),
      random,
      isKept: (address) => this.#isKept(address),
    });
  }

  allocate(object: Draft<KubeObject>, old: KubeObject | undefined): AllocationOutcome {
    this.#refresh();
    return this.allocator.allocate(object as Draft<Service>, old as Service | undefined);
  }

  release(object: KubeObject): void {
    this.allocator.release(object as Service);
  }

  #refresh(): void {
    const cidrs = this.#store.resource(serviceCidrs);
    if (cidrs.changed === this.#known) return;
    this.#known = cidrs.changed;
    const all = cidrs.items().map((item) => item.object() as ServiceCIDR);
    this.allocator.useRanges(all.filter(gives).flatMap(rangesOf), all.filter((cidr) => !gives(cidr)).flatMap(rangesOf));
  }

  #isKept(address: string): boolean {
    const found = this.#store.resource(ipAddresses).get(address)?.object() as IPAddress | undefined;
    return found !== undefined && found.metadata.labels?.[managedByLabel] !== managedBy;
  }
}

/** One that nobody has judged yet is ready: a cluster may run without that controller. */
function gives({ metadata, status }: ServiceCIDR): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return metadata.deletionTimestamp === undefined && (ready === undefined || ready.status === "True");
}

function rangesOf({ spec }: ServiceCIDR): readonly Cidr[] {
  return (spec?.cidrs ?? []).flatMap((text) => parseCidr(text) ?? []);
}

function readRanges(texts: readonly string[]): readonly Cidr[] {
  const ranges = texts.map(readRange);
  if (ranges.length === 0 || ranges.length > 2 || (ranges.length === 2 && ranges[0]?.family === ranges[1]?.family))
    throw new FairleadError("FL_CONFIG", "service cluster IP ranges: one CIDR, or one of each family");
  return ranges;
}

function readRange(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined)
    throw new FairleadError("FL_CONFIG", `service cluster IP range ${JSON.stringify(text)} is not a CIDR`, {
      hint: "Such as 10.96.0.0/16.",
    });
  return cidr;
}

function readPorts(text: string): { readonly first: number; readonly last: number } {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || first < 1 || last > 65535 || first > last)
    throw new FairleadError("FL_CONFIG", `service node port range ${JSON.stringify(text)} is not FIRST-LAST`, {
      hint: "Such as 30000-32767.",
    });
  return { first, last };
}
