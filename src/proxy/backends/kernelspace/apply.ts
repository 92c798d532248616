/** Brings HNS's policies and remote endpoints to what the renderer says, once. See README.md beside this file: no Windows has run this. */
import { hcnOperations, type HcnState } from "../../../decide/proxy/render/kernelspace/operations.ts";
import type { KernelspaceState } from "../../../decide/proxy/render/kernelspace/render.ts";
import type { Hcn, HcnObject } from "../../../host/hcn/hcn.ts";
import { FairleadError } from "../../../lib/errors.ts";

export interface KernelspaceApplied {
  readonly operations: number;
  /** Service ports of which HNS does not know every endpoint here yet. */
  readonly waiting: readonly string[];
}

/** `networkName`: of the pods, as the CNI plugin has called it (`winkernel.networkName`). */
export function applyKernelspace(hcn: Hcn, networkName: string, want: KernelspaceState): KernelspaceApplied {
  const network = hcn.list("Network").find((id) => hcn.properties("Network", id)["Name"] === networkName);
  if (network === undefined) throw new FairleadError("FL_CONFIG", `HNS has no network ${networkName}`);
  const { operations, waiting } = hcnOperations(stateOf(hcn), want);
  for (const operation of operations) {
    switch (operation.kind) {
      case "createEndpoint":
        hcn.create("Endpoint", operation.id, operation.endpoint, network);
        break;
      case "createLoadBalancer":
        hcn.create("LoadBalancer", operation.id, operation.loadBalancer);
        break;
      case "deleteEndpoint":
        hcn.remove("Endpoint", operation.id);
        break;
      case "deleteLoadBalancer":
        hcn.remove("LoadBalancer", operation.id);
        break;
      default:
        operation satisfies never;
    }
  }
  return { operations: operations.length, waiting };
}

function stateOf(hcn: Hcn): HcnState {
  const endpoints = hcn.list("Endpoint").map((id) => ({ id, addresses: addressesOf(hcn.properties("Endpoint", id)) }));
  return { loadBalancers: hcn.list("LoadBalancer"), endpoints };
}

function addressesOf({ IpConfigurations = [] }: HcnObject): readonly string[] {
  return (IpConfigurations as readonly { readonly IpAddress?: string }[]).flatMap(({ IpAddress }) => IpAddress ?? []);
}
