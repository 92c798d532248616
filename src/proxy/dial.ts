/** How the forward proxy reaches what a pod asks for: a Service by the plan, anything else directly. */
import type { Socket } from "node:net";
import { cidrContains, joinHostPort, parseCidr, parseIp } from "../lib/ip.ts";
import { connectTcp } from "../net/connect.ts";
import type { ClientPod, ConnectFailure } from "../net/forward-proxy/index.ts";
import type { Proxy } from "./proxy.ts";

export interface PodDialerOptions {
  readonly proxy: Pick<Proxy, "dial">;
  /** An address in these that belongs to no Service is refused here: outside this process it may be anybody's. */
  readonly serviceCIDRs: readonly string[];
  /** For a target that is no Service. Default 10,000 ms. */
  readonly timeoutMs?: number;
  /** To a target that is no Service. Default: from this host. */
  readonly connect?: typeof connectTcp;
}

/** For `createForwardProxy({ dial })`. The other side sees the pod's address where the kernel lets a socket have it. */
export function createPodDialer({
  proxy,
  serviceCIDRs,
  timeoutMs = 10_000,
  connect = connectTcp,
}: PodDialerOptions): (ip: string, port: number, client: ClientPod) => Promise<Socket | ConnectFailure> {
  const ranges = serviceCIDRs.flatMap((text) => parseCidr(text) ?? []);
  return async (ip, port, client) => {
    const result = await proxy.dial({ ip, port, protocol: "TCP", client: client.ip });
    if (result.kind === "connected") return result.socket;
    if (result.kind === "refused") return { kind: "failed", why: "refused", message: `${joinHostPort(ip, port)}: ${result.message}` };
    const address = parseIp(ip);
    if (address !== undefined && ranges.some((range) => cidrContains(range, address))) {
      return { kind: "failed", why: "refused", message: `${joinHostPort(ip, port)}: no Service has this address and port` };
    }
    return await direct(ip, port, client, timeoutMs, connect);
  };
}

function direct(
  ip: string,
  port: number,
  client: ClientPod,
  timeoutMs: number,
  connect: typeof connectTcp,
): Promise<Socket | ConnectFailure> {
  const localAddress = ip.startsWith("127.") && client.ip.startsWith("127.") ? client.ip : undefined;
  return new Promise((resolve) => {
    connect({ host: ip, port, timeoutMs, localAddress }, (result) => {
      resolve("failed" in result ? failure(result.failed, joinHostPort(ip, port)) : result);
    });
  });
}

function failure(code: string, where: string): ConnectFailure {
  switch (code) {
    case "ETIMEDOUT":
      return { kind: "failed", why: "timeout", message: `${where} does not answer` };
    case "ECONNREFUSED":
      return { kind: "failed", why: "refused", message: `${where} refuses connections: nothing listens there` };
    default:
      return { kind: "failed", why: "unreachable", message: `${where} cannot be reached (${code})` };
  }
}
