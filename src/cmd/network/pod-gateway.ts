/**
 * The way into the cluster's network for those who are not on it: pods through the forward proxy in their environment
 * (loopback mode has no resolv.conf of theirs), and this process for tests.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Component } from "../../component/component.ts";
import type { Clock } from "../../lib/clock.ts";
import { FairleadError } from "../../lib/errors.ts";
import { parseIp } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";
import type { connectTcp } from "../../net/connect.ts";
import { createForwardProxy, type ClientPod } from "../../net/forward-proxy/index.ts";
import { createPodDialer } from "../../proxy/dial.ts";
import type { Proxy } from "../../proxy/proxy.ts";
import type { ClusterDns } from "../cluster-dns.ts";
import { resolveAsPod } from "./resolve-name.ts";

export interface PodGatewayOptions {
  readonly proxy: Proxy;
  /** Absent: only addresses are reached. */
  readonly dns: Pick<ClusterDns, "query"> | undefined;
  readonly serviceCIDRs: readonly string[];
  readonly clusterDomain: string;
  /** Where the forward proxy listens, on a port of the kernel's choice. */
  readonly host: string;
  /** Pods' passwords are made from it; new with every start. */
  readonly secret: string;
  readonly listen: boolean;
  /** To what is no Service. Default: from this host. */
  readonly connect?: typeof connectTcp;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface PodGateway extends Component {
  /** Variables for a pod's containers. */
  environment(pod: ClientPod): Readonly<Record<string, string>>;
  /** As a client in namespace `default`. Throws FL_CONNECT. */
  connect(host: string, port: number): Promise<Duplex>;
}

export function createPodGateway(options: PodGatewayOptions): PodGateway {
  const { proxy, dns, serviceCIDRs, clusterDomain, secret, clock, log } = options;
  const dial = createPodDialer({ proxy, serviceCIDRs, ...(options.connect === undefined ? {} : { connect: options.connect }) });
  const resolve = (host: string, client: ClientPod) => resolveAsPod(dns, host, client.namespace, clusterDomain);
  const forward = createForwardProxy({
    listen: { host: options.host, port: 0 },
    identify: (user, password) => identify(user, password, secret),
    resolve,
    dial,
    clock,
    log,
  });
  return {
    name: "pod-gateway",
    start: async () => {
      if (options.listen) await forward.start();
    },
    stop: () => forward.stop(),
    ready: () => (options.listen ? forward.ready() : { ready: true }),
    environment: (pod) => (options.listen ? proxyEnvironment(pod, forward.address, secret, clusterDomain) : {}),
    async connect(host, port) {
      const client: ClientPod = { namespace: "default", name: "", ip: "127.0.0.1" };
      // What the caller has seen in the API is live in the proxy before it connects.
      await proxy.settled();
      const addresses = parseIp(host) === undefined ? await resolve(host, client) : [host];
      if (addresses.length === 0) throw new FairleadError("FL_CONNECT", `${host}: no such name in the cluster`);
      const result = await dial(addresses[Math.floor(Math.random() * addresses.length)] as string, port, client);
      if ("kind" in result) throw new FairleadError("FL_CONNECT", result.message);
      return result;
    },
  };
}

/** `default_web-1_127.97.0.2`; the password is one that only this run gives out, for exactly that. */
function userOf({ namespace, name, ip }: ClientPod): string {
  return `${namespace}_${name}_${ip}`;
}

function passwordOf(user: string, secret: string): string {
  return createHmac("sha256", secret).update(user).digest("hex").slice(0, 32);
}

function identify(user: string, password: string, secret: string): ClientPod | undefined {
  const [namespace, name, ip, ...more] = user.split("_");
  const wanted = Buffer.from(passwordOf(user, secret));
  const given = Buffer.from(password);
  if (namespace === undefined || name === undefined || ip === undefined || more.length > 0) return undefined;
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? { namespace, name, ip } : undefined;
}

/** Both spellings: curl reads `http_proxy` in lower case only. Addresses are reached without it. */
function proxyEnvironment(pod: ClientPod, address: string, secret: string, clusterDomain: string): Readonly<Record<string, string>> {
  const user = userOf(pod);
  const credentials = `${user}:${passwordOf(user, secret)}`;
  const http = `http://${credentials}@${address}`;
  const none = "localhost,127.0.0.0/8,::1";
  const upper = { HTTP_PROXY: http, ALL_PROXY: `socks5h://${credentials}@${address}`, NO_PROXY: none };
  const lower = Object.fromEntries(Object.entries(upper).map(([key, value]) => [key.toLowerCase(), value]));
  return { ...upper, ...lower, NODE_USE_ENV_PROXY: "1", CLUSTER_DOMAIN: clusterDomain };
}
