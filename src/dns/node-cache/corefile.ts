/** The Corefile of a node's cache from its template and ConfigMap `kube-dns` (kubernetes/dns `cmd/node-cache/app/configmap.go`). Pure. */
import { isDomainName } from "../../decide/dns/name.ts";
import { parseIp } from "../../lib/ip.ts";

export interface NodeCacheConfig {
  /** Zone → servers, `1.1.1.1` or `1.1.1.1:10053`. */
  readonly stubDomains?: Readonly<Record<string, readonly string[]>>;
  readonly upstreamNameservers?: readonly string[];
}

export interface NodeCacheAddresses {
  /** Where it listens. */
  readonly local: readonly string[];
  readonly port: number;
  /** Of the cluster's own DNS, past this cache. */
  readonly clusterDns: string;
  readonly domain: string;
}

/** `1.2.3.4`, `1.2.3.4:53`, `[::1]:53`; undefined when it is no address. */
export function parseNameServer(text: string): { readonly ip: string; readonly port: string } | undefined {
  if (parseIp(text) !== undefined) return { ip: text, port: "53" };
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const ip = bracketed ?? plain;
  return ip !== undefined && parseIp(ip) !== undefined && Number(port) > 0 && Number(port) <= 65_535 ? { ip, port } : undefined;
}

/** What is wrong with it; undefined: nothing. */
export function problemOf({ stubDomains = {}, upstreamNameservers = [] }: NodeCacheConfig): string | undefined {
  for (const [domain, servers] of Object.entries(stubDomains)) {
    if (domain !== "" && !isDomainName(domain)) return `stub domain ${JSON.stringify(domain)} is no domain name`;
    const wrong = servers.find((server) => parseNameServer(server) === undefined);
    if (wrong !== undefined) return `server ${JSON.stringify(wrong)} of stub domain ${domain} is no IP address`;
  }
  const wrong = upstreamNameservers.find((server) => parseNameServer(server) === undefined);
  return wrong === undefined ? undefined : `upstream name server ${JSON.stringify(wrong)} is no IP address`;
}

/** ConfigMap data: `stubDomains` and `upstreamNameservers` as JSON. A text that is no such JSON is a problem. */
export function parseConfigMap(data: Readonly<Record<string, string>>): NodeCacheConfig | string {
  try {
    const config: NodeCacheConfig = {
      ...(data["stubDomains"] === undefined ? {} : { stubDomains: JSON.parse(data["stubDomains"]) as Record<string, string[]> }),
      ...(data["upstreamNameservers"] === undefined ? {} : { upstreamNameservers: JSON.parse(data["upstreamNameservers"]) as string[] }),
    };
    return problemOf(config) ?? config;
  } catch (error) {
    return `ConfigMap kube-dns holds no JSON: ${String(error)}`;
  }
}

export function nodeCacheCorefile(
  template: string,
  config: NodeCacheConfig,
  { local, port, clusterDns, domain }: NodeCacheAddresses,
): string {
  const { stubDomains = {}, upstreamNameservers = [] } = config;
  const listen = local.join(" ");
  // Name servers of the cluster's own are asked as they are; those of the node over TCP, which no NAT forgets.
  const upstream =
    upstreamNameservers.length === 0 ? template : template.replace(/(forward \. __PILLAR__UPSTREAM__SERVERS__) \{\s*force_tcp\s*\}/g, "$1");
  const filled = upstream
    .replaceAll("__PILLAR__UPSTREAM__SERVERS__", upstreamNameservers.length === 0 ? "/etc/resolv.conf" : upstreamNameservers.join(" "))
    .replaceAll("__PILLAR__CLUSTER__DNS__", clusterDns)
    .replaceAll("__PILLAR__LOCAL__DNS__", listen)
    .replaceAll("__PILLAR__DNS__SERVER__", "")
    .replaceAll("__PILLAR__DNS__DOMAIN__", domain);
  const stubs = Object.entries(stubDomains).map(
    ([zone, servers]) => `${zone}:${port} {\n    errors\n    cache 30\n    bind ${listen}\n    forward . ${servers.join(" ")}\n}\n`,
  );
  return filled + stubs.join("");
}

/** kubernetes' `nodelocaldns.yaml`. */
export const nodeCacheTemplate = `__PILLAR__DNS__DOMAIN__:53 {
    errors
    cache {
        success 9984 30
        denial 9984 5
    }
    reload
    loop
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    prometheus :9253
    health 169.254.20.10:8080
}
in-addr.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    prometheus :9253
}
ip6.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    prometheus :9253
}
.:53 {
    errors
    cache 30 {
        serve_stale 1h verify 500ms 30s
    }
    reload
    loop
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__UPSTREAM__SERVERS__ {
        force_tcp
    }
    prometheus :9253
}
`;
