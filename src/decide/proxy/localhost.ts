/**
 * A plan's NodePorts at the node's own loopback addresses, for user space to serve beside a kernel mode: packets from 127.0.0.1 do not
 * leave the machine, so the kernel's rules cannot send them to a pod. Who comes there is the node itself. Pure.
 */
import { deepFreeze } from "../../lib/freeze.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { PortPlan, ServicePlan, VirtualAddress } from "./plan.ts";

const loopback: Readonly<Record<IpFamily, string>> = { 4: "127.0.0.1", 6: "::1" };

/** Undefined: the Service has no NodePort. `families`: of which the kernel mode serves none at loopback itself. */
export function localhostPlan(plan: ServicePlan | undefined, families: readonly IpFamily[] = [4, 6]): ServicePlan | undefined {
  if (plan?.kind !== "service") return undefined;
  const { healthCheck: _, ...rest } = plan;
  const ports = plan.ports.map((port): PortPlan => ({ ...port, addresses: families.flatMap((family) => atLoopback(port, family)) }));
  const served = ports.filter(({ addresses }) => addresses.length > 0);
  return served.length === 0 ? undefined : deepFreeze({ ...rest, ports: served });
}

function atLoopback({ addresses }: PortPlan, family: IpFamily): VirtualAddress[] {
  const one = addresses.find((address) => address.kind === "nodePort" && address.family === family);
  if (one === undefined || addresses.some(({ kind, address }) => kind === "nodePort" && address === loopback[family])) return [];
  const { node } = one.verdicts;
  return [{ ...one, address: loopback[family], verdicts: { pod: node, node, external: node } }];
}
