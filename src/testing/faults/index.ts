/** What a test can break: `using fault = cluster.faults.dns({ name: "db.default.svc.cluster.local" })`. */
import { pods } from "../../api/resources.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { Interference } from "../../cmd/interference.ts";
import { FairleadError } from "../../lib/errors.ts";
import { parseIp } from "../../lib/ip.ts";
import { createApiFaults, type ApiFaultsOptions, type Partition, type SlowWatch } from "./api.ts";
import { createDnsFaults, type DnsFault } from "./dns.ts";
import { createEndpointFaults, type EndpointFault } from "./endpoints.ts";
import type { Fault } from "./fault.ts";

/** Each is in force when the call returns, and until its `end` (or the end of a `using` block). Several add up. */
export interface Faults {
  /**
   * New connections to a pod (`web-1`, `shop/web-1`, or an address) fail: through Services, Ingresses and the forward proxy, and the
   * kubelet's probes, so that it becomes unready where it has one. Connections under way stay; so do those that a function of this
   * process makes by itself.
   */
  endpointDown(pod: string, fault?: EndpointFault): Fault;
  dns(fault?: DnsFault): Fault;
  partition(fault?: Partition): Fault;
  /** Events of watches come late. */
  slowWatch(fault?: SlowWatch): Fault;
}

export interface CreatedFaults {
  readonly faults: Faults;
  readonly interference: Interference;
  /** When there is a cluster: it knows the pods' addresses. */
  attach(informers: InformerFactory): void;
}

export function createFaults(options: ApiFaultsOptions): CreatedFaults {
  const [api, dns, endpoints] = [createApiFaults(options), createDnsFaults(), createEndpointFaults()];
  let informers: InformerFactory | undefined;
  return {
    faults: {
      endpointDown: (pod, fault = {}) => endpoints.add(addressesOf(pod, informers), fault),
      dns: (fault = {}) => dns.add(fault),
      partition: (fault = {}) => api.partition(fault),
      slowWatch: (fault = {}) => api.slowWatch(fault),
    },
    interference: {
      api: (handler) => api.around(handler),
      dns: (handler) => dns.around(handler),
      unreachable: (ip) => endpoints.unreachable(ip),
    },
    attach: (of) => void (informers = of),
  };
}

function addressesOf(text: string, informers: InformerFactory | undefined): readonly string[] {
  if (parseIp(text) !== undefined) return [text];
  const [name = "", namespace = "default"] = text.split("/").reverse();
  const pod = informers?.informer(pods).lister.get(namespace, name);
  const addresses = (pod?.status?.podIPs ?? []).flatMap(({ ip }) => ip ?? []);
  if (addresses.length > 0) return addresses;
  throw new FairleadError(
    "FL_USAGE",
    `endpointDown(${JSON.stringify(text)}): ${pod === undefined ? "no such pod" : "the pod has no address yet"}`,
  );
}
