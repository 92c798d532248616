/** How a backend whose rules are in the kernel reaches a virtual address from inside this process: through those rules. */
import type { Socket } from "node:net";
import { servicePortText, type ServicePlan } from "../../decide/proxy/index.ts";
import { errnoCode, errorMessage } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type { DialResult, DialTarget } from "./backend.ts";

/** Connects from inside the namespace where the rules are. */
export type KernelConnect = (target: { readonly host: string; readonly port: number }) => Promise<Socket>;

/** `servicePort`: whose the address is; undefined: nobody's. */
export async function dialThroughKernel(
  servicePort: string | undefined,
  { ip, port }: DialTarget,
  connect: KernelConnect | undefined,
): Promise<DialResult> {
  if (servicePort === undefined) return { kind: "unknown" };
  const where = joinHostPort(ip, port);
  try {
    if (connect === undefined) throw new Error("there is no way into the node's network from here");
    return { kind: "connected", socket: await connect({ host: ip, port }), servicePort, endpoint: where };
  } catch (error) {
    const reason = errnoCode(error) === "ECONNREFUSED" ? "NoEndpoints" : "AllEndpointsFailed";
    return { kind: "refused", reason, message: `Service ${servicePort} at ${where}: ${errorMessage(error)}` };
  }
}

export function servicePortAt(plans: Iterable<ServicePlan>, { ip, port: number, protocol }: DialTarget): string | undefined {
  for (const plan of plans) {
    if (plan.kind !== "service") continue;
    const port = plan.ports.find(
      (each) => each.protocol === protocol && each.addresses.some((one) => one.address === ip && one.port === number),
    );
    if (port !== undefined) return servicePortText(port.servicePort);
  }
  return undefined;
}

export function countAddresses(plans: Iterable<ServicePlan>): number {
  let count = 0;
  for (const plan of plans) if (plan.kind === "service") for (const { addresses } of plan.ports) count += addresses.length;
  return count;
}
