/** A pod's /etc/hosts (upstream `managedHostsFileContent`, `nodeHostsFileContent`, pkg/kubelet/kubelet_pods.go). Pure. */
import type { HostAlias } from "../../../../api/types.ts";

export interface HostsInput {
  /** In a pod on the node's network: what the node's own file holds. */
  readonly nodeFile?: string;
  readonly podIPs: readonly string[];
  readonly hostname: string;
  /** `web-0.web.shop.svc.cluster.local` */
  readonly fqdn?: string | undefined;
  readonly aliases: readonly HostAlias[];
}

const fixedLines = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "fe00::\tip6-mcastprefix",
  "fe00::1\tip6-allnodes",
  "fe00::2\tip6-allrouters",
];

export function hostsFile({ nodeFile, podIPs, hostname, fqdn, aliases }: HostsInput): string {
  const names = fqdn === undefined ? hostname : `${fqdn}\t${hostname}`;
  const head =
    nodeFile === undefined
      ? `${["# Kubernetes-managed hosts file.", ...fixedLines, ...podIPs.map((ip) => `${ip}\t${names}`)].join("\n")}\n`
      : `# Kubernetes-managed hosts file (host network).\n${nodeFile}`;
  return `${head}${aliasLines(aliases)}`;
}

function aliasLines(aliases: readonly HostAlias[]): string {
  if (aliases.length === 0) return "";
  const lines = aliases.map(({ ip = "", hostnames }) => `${ip}\t${(hostnames ?? []).join("\t")}`);
  return ["", "# Entries added by HostAliases.", ...lines, ""].join("\n");
}
