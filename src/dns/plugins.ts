/**
 * The plugins, in the order of their chain, which is CoreDNS's (`plugin.cfg`) whatever the order in a Corefile. A new one is
 * a folder below `plugins/` and a line here.
 */
import type { PluginEntry } from "./plugin.ts";
import { acl } from "./plugins/acl/setup.ts";
import { any } from "./plugins/any/setup.ts";
import { auto } from "./plugins/auto/setup.ts";
import { autopath } from "./plugins/autopath/setup.ts";
import { bind } from "./plugins/bind/setup.ts";
import { bufsize } from "./plugins/bufsize/setup.ts";
import { cache } from "./plugins/cache/setup.ts";
import { cancel } from "./plugins/cancel/setup.ts";
import { chaos } from "./plugins/chaos/setup.ts";
import { debug } from "./plugins/debug/setup.ts";
import { dns64 } from "./plugins/dns64/setup.ts";
import { erratic } from "./plugins/erratic/setup.ts";
import { errors } from "./plugins/errors/setup.ts";
import { etcd } from "./plugins/etcd/setup.ts";
import { file } from "./plugins/file/setup.ts";
import { forward } from "./plugins/forward/setup.ts";
import { grpc } from "./plugins/grpc/setup.ts";
import { grpcServer } from "./plugins/grpc_server/setup.ts";
import { header } from "./plugins/header/setup.ts";
import { health } from "./plugins/health/setup.ts";
import { hosts } from "./plugins/hosts/setup.ts";
import { https } from "./plugins/https/setup.ts";
import { k8sExternal } from "./plugins/k8s_external/setup.ts";
import { kubernetes, type KubernetesSource } from "./plugins/kubernetes/setup.ts";
import { loadbalance } from "./plugins/loadbalance/setup.ts";
import { local } from "./plugins/local/setup.ts";
import { log } from "./plugins/log/setup.ts";
import { loop } from "./plugins/loop/setup.ts";
import { metadata } from "./plugins/metadata/setup.ts";
import { minimal } from "./plugins/minimal/setup.ts";
import { multisocket } from "./plugins/multisocket/setup.ts";
import { nsid } from "./plugins/nsid/setup.ts";
import { pprof } from "./plugins/pprof/setup.ts";
import { prometheus } from "./plugins/prometheus/setup.ts";
import { proxyproto } from "./plugins/proxyproto/setup.ts";
import { ready } from "./plugins/ready/setup.ts";
import { reload } from "./plugins/reload/setup.ts";
import { rewrite } from "./plugins/rewrite/setup.ts";
import { root } from "./plugins/root/setup.ts";
import { secondary } from "./plugins/secondary/setup.ts";
import { shed } from "./plugins/shed/setup.ts";
import { template } from "./plugins/template/setup.ts";
import { timeouts } from "./plugins/timeouts/setup.ts";
import { tls } from "./plugins/tls/setup.ts";
import { top } from "./plugins/top/setup.ts";
import { transfer } from "./plugins/transfer/setup.ts";
import { view } from "./plugins/view/setup.ts";
import { whoami } from "./plugins/whoami/setup.ts";

export interface PluginSources {
  /** Where `kubernetes` reads the cluster; absent: a Corefile that names it is refused. */
  readonly kubernetes: KubernetesSource | undefined;
}

export function pluginList(sources: PluginSources): readonly PluginEntry[] {
  return [
    root,
    metadata,
    cancel,
    proxyproto,
    grpcServer,
    https,
    timeouts,
    multisocket,
    reload,
    nsid,
    bufsize,
    bind,
    debug,
    ready,
    health,
    pprof,
    top,
    shed,
    prometheus,
    errors,
    log,
    local,
    dns64,
    any,
    chaos,
    loadbalance,
    rewrite,
    autopath,
    acl,
    cache,
    header,
    tls,
    minimal,
    template,
    transfer,
    hosts,
    k8sExternal,
    kubernetes(sources.kubernetes),
    file,
    auto,
    secondary,
    etcd,
    loop,
    forward,
    grpc,
    erratic,
    whoami,
    view,
  ];
}

const cloud = "its zones live in a cloud's own API; export them to a zone file and use file or auto, or forward to the cloud's resolver";
const signing = "sign zones with an authoritative server (Knot, BIND) and serve them here by secondary, or forward to it";

/** Directives of CoreDNS 1.14 that are not here → what to do instead. */
export const unsupportedDirectives: ReadonlyMap<string, string> = new Map([
  ["dnssec", signing],
  ["sign", signing],
  ["tsig", "protect transfers by `transfer { to … }` and acl, or carry them over a private network"],
  ["trace", "use log, prometheus and `fairlead dns query --explain`"],
  ["dnstap", "use log, or prometheus"],
  ["quic", "use tls:// (DNS over TLS) or https:// (DNS over HTTPS)"],
  ["https3", "use https:// with HTTP/2"],
  ["geoip", "use view with incidr(client_ip(), …)"],
  ["nomad", "forward to the DNS server of Consul or Nomad"],
  ["route53", cloud],
  ["azure", cloud],
  ["clouddns", cloud],
  ["on", "run commands from whatever starts this program: it never runs any"],
]);
