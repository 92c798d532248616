/**
 * Ports that stand in for low ones. A load balancer's address is this machine's own and belongs to the Service alone, so any other
 * port of it will do where the kernel keeps those below 1024 for root; a client only has to know which.
 */
import { joinHostPort } from "../../../lib/ip.ts";
import type { Protocol, VirtualAddress } from "../../../decide/proxy/index.ts";
import type { AddressProblem } from "../backend.ts";

/** In order of preference: 80 → 8080, 443 → 8443, as people expect; in the end any. */
export function standInPorts(port: number): readonly number[] {
  return [port + 8000, port + 10_000, 0];
}

export function standInProblem(protocol: Protocol, { address, port }: VirtualAddress, at: number): AddressProblem {
  return {
    reason: "PortStandIn",
    severity: "warning",
    retry: false,
    protocol,
    address,
    port,
    standIn: at,
    message:
      `${protocol} ${joinHostPort(address, port)} listens on port ${at} instead: ports below 1024 need root here. ` +
      `To have port ${port}: 'sudo sysctl net.ipv4.ip_unprivileged_port_start=${port}', and start again.`,
  };
}
