/**
 * What a Service takes from the cluster's pools and gives back, over its whole life (`pkg/registry/core/service/storage`,
 * alloc.go and storage.go). One instance serves an API server; at its start it adopts every stored Service.
 *
 * An allocation changes the pools at once and the Service's draft with them. `commit` gives back what an update has made
 * superfluous, `revert` what the write would have used; a dry run reverts.
 */
import type { Cidr } from "../../lib/ip.ts";
import type { Draft } from "../object.ts";
import type { AllocationOutcome } from "../prepare.ts";
import type { Service, ServiceSpec } from "../types.ts";
import {
  clusterIpNone,
  familyOf,
  needsClusterIp,
  needsHealthCheckNodePort,
  needsNodePort,
  type IpFamilyName,
} from "../validation/service-traits.ts";
import { FamilyRanges } from "./family-ranges.ts";
import { Exhausted, FieldFault, Ledger } from "./ledger.ts";
import { NodePortAllocator, type PortRange } from "./node-port.ts";
import { keepsPreferredFamilies, settleFamilies, syncClusterIps, keepAllocated } from "./service-families.ts";
import { createNodePorts, updateHealthCheckNodePort, updateNodePorts } from "./service-ports.ts";

export interface ServiceAllocatorOptions {
  /** One range, or one of each family; the first decides the default family. */
  readonly clusterIpRanges: readonly Cidr[];
  readonly nodePortRange: PortRange;
  /** [0, 1) */
  readonly random: () => number;
  /** An address that somebody keeps by an IPAddress of his own making. Default: none is. */
  readonly isKept?: (address: string) => boolean;
}

const familyName = (cidr: Cidr): IpFamilyName => (cidr.family === 4 ? "IPv4" : "IPv6");

type Spec = Draft<ServiceSpec>;

export class ServiceAllocator {
  readonly #families = new Map<IpFamilyName, FamilyRanges>();
  readonly #nodePorts: NodePortAllocator;

  constructor({ clusterIpRanges, nodePortRange, random, isKept = () => false }: ServiceAllocatorOptions) {
    for (const own of clusterIpRanges) this.#families.set(familyName(own), new FamilyRanges({ own, random, isKept }));
    this.#nodePorts = new NodePortAllocator(nodePortRange, random);
  }

  /** The address of `default/kubernetes`: the first of the first range. */
  get kubernetesClusterIp(): string {
    return ([...this.#families.values()][0] as FamilyRanges).reserved;
  }

  /** What is left, for metrics: addresses of all ranges together (those that are given unasked), and ports. */
  get free(): { readonly addresses: number; readonly nodePorts: number } {
    const addresses = [...this.#families.values()].reduce((sum, allocator) => sum + allocator.free, 0);
    return { addresses, nodePorts: this.#nodePorts.free };
  }

  /** The ranges of the ServiceCIDRs: those that give addresses, and those that are on their way out. */
  useRanges(open: readonly Cidr[], closed: readonly Cidr[]): void {
    for (const [name, ranges] of this.#families) {
      const own = (cidr: Cidr) => familyName(cidr) === name;
      ranges.use(open.filter(own), closed.filter(own));
    }
  }

  /**
   * Marks what a stored Service holds as taken. Answers what it could not take (out of range after a change of
   * configuration, or held by two Services), in words for the log; the Service keeps its addresses all the same.
   */
  adopt(service: Service): string[] {
    const spec = service.spec ?? {};
    const taken = this.#ledger().adopt(heldAddresses(spec), [...heldPorts(spec)]);
    return taken.map((problem) => `service ${service.metadata.namespace}/${service.metadata.name}: ${problem}`);
  }

  /** Gives back everything that a deleted Service held. */
  release(service: Service): void {
    const spec = service.spec ?? {};
    const ledger = this.#ledger();
    for (const address of heldAddresses(spec)) ledger.releaseAddress(address);
    for (const port of heldPorts(spec)) ledger.releasePort(port);
    ledger.allocation().commit();
  }

  /** Fills in and takes what a new Service needs, or what the change from `old` to `service` needs. */
  allocate(service: Draft<Service>, old: Service | undefined): AllocationOutcome {
    const spec = (service.spec ??= {});
    const ledger = this.#ledger();
    try {
      if (old === undefined) this.#create(spec, ledger);
      else this.#update(spec, old.spec ?? {}, ledger);
      return { kind: "ok", allocation: ledger.allocation() };
    } catch (error) {
      ledger.allocation().revert();
      if (error instanceof FieldFault) return { kind: "invalid", errors: error.errors };
      if (error instanceof Exhausted) return { kind: "exhausted", message: error.message };
      throw error;
    }
  }

  #ledger(): Ledger {
    return new Ledger(this.#families, this.#nodePorts);
  }

  #create(spec: Spec, ledger: Ledger): void {
    syncClusterIps(spec, undefined);
    settleFamilies(spec, undefined, this.#configured());
    takeClusterIps(spec, ledger);
    if (needsNodePort(spec)) createNodePorts(spec, ledger);
    if (needsHealthCheckNodePort(spec)) updateHealthCheckNodePort(spec, {}, ledger);
  }

  #update(spec: Spec, old: ServiceSpec, ledger: Ledger): void {
    keepAllocated(spec, old);
    syncClusterIps(spec, old);
    settleFamilies(spec, old, this.#configured());
    this.#updateClusterIps(spec, old, ledger);
    updateNodePorts(spec, old, ledger);
    updateHealthCheckNodePort(spec, old, ledger);
  }

  #configured(): readonly IpFamilyName[] {
    return [...this.#families.keys()];
  }

  #updateClusterIps(spec: Spec, old: ServiceSpec, ledger: Ledger): void {
    if (keepsPreferredFamilies(spec, old)) return;
    if (!needsClusterIp(old)) {
      if (needsClusterIp(spec)) takeClusterIps(spec, ledger);
      return;
    }
    if (old.clusterIPs?.[0] === clusterIpNone) return;
    if (!needsClusterIp(spec)) {
      for (const address of old.clusterIPs ?? []) ledger.releaseAddress(address);
      return;
    }
    const [before, now] = [old.ipFamilies?.length ?? 0, spec.ipFamilies?.length ?? 0];
    if (before === 1 && now === 2) takeSecondary(spec, ledger);
    else if (before === 2 && now === 1 && old.clusterIPs?.[1] !== undefined) ledger.releaseAddress(old.clusterIPs[1]);
  }
}

/** One address for each family of the Service: the one it names, or any. */
function takeClusterIps(spec: Spec, ledger: Ledger): void {
  if (!needsClusterIp(spec) || spec.clusterIPs?.[0] === clusterIpNone) return;
  // Upstream's marker for an address that is still to come; its errors show it.
  const named = (spec.ipFamilies ?? []).map((_, index) => spec.clusterIPs?.[index] ?? "");
  const addresses = (spec.ipFamilies ?? []).map((family, index) => takeAddress(family as IpFamilyName, named[index], named, ledger));
  spec.clusterIPs = addresses;
  if (addresses[0] !== undefined) spec.clusterIP = addresses[0];
}

function takeSecondary(spec: Spec, ledger: Ledger): void {
  const [primary = "", secondary] = spec.clusterIPs ?? [];
  spec.clusterIPs = [primary, takeAddress(spec.ipFamilies?.[1] as IpFamilyName, secondary, spec.clusterIPs ?? [], ledger)];
}

function takeAddress(family: IpFamilyName, named: string | undefined, all: readonly string[], ledger: Ledger): string {
  return named === undefined || named === "" ? ledger.takeAnyAddress(family) : ledger.takeAddress(family, named, all);
}

function heldAddresses(spec: ServiceSpec): readonly string[] {
  if (!needsClusterIp(spec)) return [];
  const addresses = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return addresses.filter((address) => familyOf(address) !== undefined);
}

function heldPorts(spec: ServiceSpec): ReadonlySet<number> {
  // The port of an ExternalName is only written there: nothing was ever taken for it.
  const ports = new Set(needsNodePort(spec) ? (spec.ports ?? []).map((port) => port.nodePort ?? 0) : []);
  if (needsHealthCheckNodePort(spec)) ports.add(spec.healthCheckNodePort ?? 0);
  ports.delete(0);
  return ports;
}
