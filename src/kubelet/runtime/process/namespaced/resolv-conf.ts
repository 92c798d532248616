/** A pod's /etc/resolv.conf from its `dnsPolicy` and `dnsConfig` (upstream pkg/kubelet/network/dns/dns.go). Pure. */
import type { Pod, PodDNSConfig } from "../../../../api/types.ts";
import { parseIp } from "../../../../lib/ip.ts";

export interface ResolverConfig {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  /** `ndots:5`, `edns0` */
  readonly options: readonly string[];
}

export interface ClusterDns {
  readonly servers: readonly string[];
  readonly clusterDomain: string;
}

export interface PodResolver {
  readonly config: ResolverConfig;
  /** Upstream's texts for Events with reason DNSConfigForming. */
  readonly warnings: readonly string[];
}

/** Limits of upstream's validation (`MaxDNSNameservers`, `MaxDNSSearchPathsExpanded`, `MaxDNSSearchListCharsExpanded`). */
const maxNameservers = 3;
const maxSearches = 32;
const maxSearchChars = 2048;
const maxDomain = 253;

export function parseResolvConf(text: string): ResolverConfig {
  const nameservers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [word, ...values] = line.trim().split(/\s+/);
    if (word === "nameserver" && values[0] !== undefined) nameservers.push(values[0]);
    // Of several, the last one counts (resolv.conf(5)).
    if (word === "search") searches = values.map((domain) => domain.replace(/(?<=.)\.$/, ""));
    if (word === "options") options = values;
  }
  return { nameservers, searches, options };
}

export function formatResolvConf({ nameservers, searches, options }: ResolverConfig): string {
  const lines = [
    ...(searches.length === 0 ? [] : [`search ${searches.join(" ")}`]),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}`]),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

export function podResolver(pod: Pod, host: ResolverConfig, cluster: ClusterDns): PodResolver {
  return withinLimits(withPodConfig(baseConfig(pod, host, cluster), pod.spec?.dnsConfig));
}

function baseConfig(pod: Pod, host: ResolverConfig, cluster: ClusterDns): ResolverConfig {
  const policy = pod.spec?.dnsPolicy ?? "ClusterFirst";
  if (policy === "None") return { nameservers: [], searches: [], options: [] };
  const usesHost = policy === "Default" || (policy === "ClusterFirst" && pod.spec?.hostNetwork === true);
  if (usesHost || cluster.servers.length === 0) return reachable(host, cluster);
  const { clusterDomain } = cluster;
  const own = [`${pod.metadata.namespace ?? ""}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return { nameservers: cluster.servers, searches: unique([...own, ...host.searches]), options: ["ndots:5"] };
}

/** A name server on the host's loopback (systemd-resolved) is not there inside a pod: the cluster's own asks it instead. */
function reachable(host: ResolverConfig, { servers }: ClusterDns): ResolverConfig {
  return { ...host, nameservers: unique(host.nameservers.flatMap((server) => (isLoopback(server) ? servers : [server]))) };
}

function isLoopback(server: string): boolean {
  const ip = parseIp(server);
  return ip?.family === 4 ? ip.value >> 24n === 127n : ip?.value === 1n;
}

function withPodConfig(base: ResolverConfig, own: PodDNSConfig | undefined): ResolverConfig {
  if (own === undefined) return base;
  return {
    nameservers: unique([...base.nameservers, ...(own.nameservers ?? [])]),
    searches: unique([...base.searches, ...(own.searches ?? [])]),
    options: mergeOptions(base.options, own.options ?? []),
  };
}

/** The pod's own win over those of the same name. */
function mergeOptions(base: readonly string[], own: NonNullable<PodDNSConfig["options"]>): readonly string[] {
  const values = new Map(base.map((option) => option.split(/:(.*)/s) as [string, string?]).map(([name, value]) => [name, value]));
  for (const { name = "", value } of own) values.set(name, value);
  return [...values].map(([name, value]) => (value === undefined || value === "" ? name : `${name}:${value}`));
}

function withinLimits(config: ResolverConfig): PodResolver {
  const nameservers = config.nameservers.slice(0, maxNameservers);
  const searches = fittingSearches(config.searches);
  const warnings = [
    ...(nameservers.length === config.nameservers.length
      ? []
      : [`Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${nameservers.join(" ")}`]),
    ...(searches.length === config.searches.length
      ? []
      : [`Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(" ")}`]),
  ];
  return { config: { ...config, nameservers, searches }, warnings };
}

function fittingSearches(all: readonly string[]): readonly string[] {
  const fitting = all.slice(0, maxSearches).filter((domain) => domain.length <= maxDomain);
  while (fitting.join(" ").length > maxSearchChars) fitting.pop();
  return fitting;
}

function unique(list: readonly string[]): readonly string[] {
  return [...new Set(list)];
}
