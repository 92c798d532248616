/** The kernel's tables in the model's terms. */
import { setDefinition, type IpvsKernel } from "./kernel.ts";
import type { KernelState } from "../../../decide/proxy/render/ipvs/model.ts";
import { setNames, type SetName } from "../../../decide/proxy/render/ipvs/sets.ts";
import { isIpvsScheduler, type RealServer, type VirtualServer } from "../../../decide/proxy/render/ipvs/state.ts";
import type { ServerIdentity } from "../../../decide/proxy/render/ipvs/operations.ts";
import type { IpsetDefinition } from "../../../host/ipset/ipset.ts";
import { cidrContains, parseCidr, parseIp, type Cidr, type IpFamily } from "../../../lib/ip.ts";

/** This thread serves others too: it works no longer than this at a stretch. */
const sliceMs = 4;

type Tables = Pick<IpvsKernel, "ipvs" | "ipset" | "link">;

export class KernelReader {
  readonly #kernel: Tables;
  readonly #excluded: readonly Cidr[];

  constructor(kernel: Tables, excludeCIDRs: readonly string[]) {
    this.#kernel = kernel;
    this.#excluded = excludeCIDRs.flatMap((text) => parseCidr(text) ?? []);
  }

  /** Of both families, without their real servers; those that `excludeCIDRs` leaves to others are left out. */
  servers(): readonly VirtualServer[] {
    return this.#kernel.ipvs.services().flatMap((service): VirtualServer[] => {
      const { scheduler } = service;
      const ip = parseIp(service.address);
      if (ip === undefined || this.#excluded.some((cidr) => cidrContains(cidr, ip))) return [];
      // A scheduler that is not known here differs from any that is wanted: it is set.
      return [{ ...service, scheduler: isIpvsScheduler(scheduler) ? scheduler : "fo", realServers: [] }];
    });
  }

  realServers(server: ServerIdentity): readonly RealServer[] {
    return this.#kernel.ipvs.destinations(server).map(({ ip, port, weight }) => ({ ip, port, weight }));
  }

  /** One question for each virtual server: other work comes between. */
  async state(family: IpFamily): Promise<KernelState> {
    const mine = (text: string) => text.includes(":") === (family === 6);
    const virtualServers: VirtualServer[] = [];
    let since = performance.now();
    for (const server of this.servers().filter(({ address }) => mine(address))) {
      virtualServers.push({ ...server, realServers: this.realServers(server) });
      if (performance.now() - since < sliceMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
    return {
      virtualServers,
      addresses: (this.#kernel.link.addresses() ?? []).filter(mine),
      sets: new Map(
        setNames.map((name): [SetName, readonly string[]] => [name, this.#kernel.ipset.list(setDefinition(name, family)) ?? []]),
      ),
    };
  }

  createSets(family: IpFamily): void {
    for (const name of setNames) this.#kernel.ipset.create(setDefinition(name, family));
  }

  /** The set that has fewest entries and is always there. */
  canary(family: IpFamily): IpsetDefinition {
    return setDefinition("KUBE-HEALTH-CHECK-NODE-PORT", family);
  }
}
