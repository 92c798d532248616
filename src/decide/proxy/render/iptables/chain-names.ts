/**
 * The names of a Service port's chains (upstream pkg/proxy/iptables/proxier.go `portProtoHash`, `servicePortEndpointChainName`):
 * 16 digits of base32 of SHA-256, because a chain's name may have 28 characters. Whoever reads rules of kube-proxy knows them.
 */
import { createHash } from "node:crypto";
import { joinHostPort } from "../../../../lib/ip.ts";
import { servicePortText, type PlanEndpoint, type PortPlan } from "../../plan.ts";
import type { TransportProtocol } from "./rules.ts";

/** KUBE-SVC: policy Cluster; KUBE-SVL: policy Local; KUBE-EXT: from outside; KUBE-FW: by source range. */
export type ServiceChainKind = "SVC" | "SVL" | "EXT" | "FW";

export type PortIdentity = Pick<PortPlan, "servicePort" | "protocol">;

export const transportOf = ({ protocol }: Pick<PortPlan, "protocol">): TransportProtocol => protocol.toLowerCase() as TransportProtocol;

export function serviceChains(port: PortIdentity): Readonly<Record<ServiceChainKind, string>> {
  const hash = shortHash(servicePortText(port.servicePort) + transportOf(port));
  return { SVC: `KUBE-SVC-${hash}`, SVL: `KUBE-SVL-${hash}`, EXT: `KUBE-EXT-${hash}`, FW: `KUBE-FW-${hash}` };
}

export function endpointChain(port: PortIdentity, { ip, port: number }: Pick<PlanEndpoint, "ip" | "port">): string {
  return `KUBE-SEP-${shortHash(servicePortText(port.servicePort) + transportOf(port) + joinHostPort(ip, number))}`;
}

/** Whether a chain in the nat table is a Service's, and may be taken away when no Service has it. */
export function isServiceChain(name: string): boolean {
  return /^KUBE-(SVC|SVL|EXT|FW|SEP|XLB)-/.test(name);
}

function shortHash(text: string): string {
  return base32(createHash("sha256").update(text).digest().subarray(0, 10));
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648, section 6. `bytes`: a multiple of five. */
function base32(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  const length = (bytes.length / 5) * 8;
  return Array.from({ length }, (_, i) => digits[Number((value >> BigInt(5 * (length - 1 - i))) & 31n)]).join("");
}
