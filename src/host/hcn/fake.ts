/** HNS in memory: refuses what names something that is not there, and a second policy for an address and port. */
import { FairleadError } from "../../lib/errors.ts";
import type { Hcn, HcnKind, HcnObject } from "./hcn.ts";

export interface FakeHcn extends Hcn {
  readonly objects: Readonly<Record<HcnKind, Map<string, HcnObject>>>;
}

export function fakeHcn(networks: Readonly<Record<string, HcnObject>>): FakeHcn {
  const objects = { Network: new Map(Object.entries(networks)), Endpoint: new Map(), LoadBalancer: new Map() };
  const refuse = (why: string): never => {
    throw new FairleadError("FL_RUNTIME", why);
  };
  const frontOf = ({ FrontendVIPs, PortMappings }: HcnObject) => JSON.stringify([FrontendVIPs, PortMappings]);
  return {
    objects,
    list: (kind) => [...objects[kind].keys()],
    properties: (kind, id) => objects[kind].get(id) ?? refuse(`no ${kind} ${id}`),
    create(kind, id, settings, network) {
      const object = settings as HcnObject;
      if (kind === "Endpoint" && !objects.Network.has(network ?? "")) refuse(`no network ${network}`);
      for (const endpoint of (object["HostComputeEndpoints"] as readonly string[] | undefined) ?? [])
        if (!objects.Endpoint.has(endpoint)) refuse(`no endpoint ${endpoint}`);
      if (kind === "LoadBalancer" && [...objects.LoadBalancer.values()].some((other) => frontOf(other) === frontOf(object)))
        refuse("the address and port have a policy");
      objects[kind].set(id, object);
    },
    remove(kind, id) {
      const used = [...objects.LoadBalancer.values()].some((one) => (one["HostComputeEndpoints"] as readonly string[]).includes(id));
      if (kind === "Endpoint" && used) refuse(`endpoint ${id} is in a policy`);
      if (!objects[kind].delete(id)) refuse(`no ${kind} ${id}`);
    },
  };
}
