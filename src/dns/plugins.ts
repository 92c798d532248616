/**
 * The plugins, in the order of their chain, which is CoreDNS's (`plugin.cfg`) whatever the order in a Corefile. A new one is
 * a folder below `plugins/` and a line here.
 */
import type { PluginEntry } from "./plugin.ts";
import { bind } from "./plugins/bind/setup.ts";
import { cache } from "./plugins/cache/setup.ts";
import { debug } from "./plugins/debug/setup.ts";
import { errors } from "./plugins/errors/setup.ts";
import { forward } from "./plugins/forward/setup.ts";
import { health } from "./plugins/health/setup.ts";
import { hosts } from "./plugins/hosts/setup.ts";
import { kubernetes, type KubernetesSource } from "./plugins/kubernetes/setup.ts";
import { loadbalance } from "./plugins/loadbalance/setup.ts";
import { log } from "./plugins/log/setup.ts";
import { loop } from "./plugins/loop/setup.ts";
import { prometheus } from "./plugins/prometheus/setup.ts";
import { ready } from "./plugins/ready/setup.ts";
import { reload } from "./plugins/reload/setup.ts";
import { whoami } from "./plugins/whoami/setup.ts";

export interface PluginSources {
  /** Where `kubernetes` reads the cluster; absent: a Corefile that names it is refused. */
  readonly kubernetes: KubernetesSource | undefined;
}

export function pluginList(sources: PluginSources): readonly PluginEntry[] {
  return [
    reload,
    bind,
    debug,
    ready,
    health,
    prometheus,
    errors,
    log,
    loadbalance,
    cache,
    hosts,
    kubernetes(sources.kubernetes),
    loop,
    forward,
    whoami,
  ];
}

/** Directives of CoreDNS 1.14 that are not here: refused by name. */
export const unsupportedDirectives: readonly string[] = (
  "root metadata geoip cancel tls quic grpc_server https https3 timeouts multisocket nsid bufsize trace pprof shed local dnstap dns64 any " +
  "chaos tsig rewrite autopath acl header dnssec minimal template transfer route53 azure clouddns k8s_external file auto secondary etcd " +
  "grpc erratic sign view nomad proxyproto on"
).split(" ");
