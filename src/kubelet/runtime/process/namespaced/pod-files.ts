/** The files that all containers of a pod share in /etc, written when its network is made. */
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "../../../../api/types.ts";
import { podFqdn, podHostname } from "../../../pod-names.ts";
import { hostsFile } from "./hosts-file.ts";
import { formatResolvConf, parseResolvConf, podResolver, type ClusterDns } from "./resolv-conf.ts";

/** Of Linux: `__NEW_UTS_LEN` (sethostname(2)). */
const maxHostname = 64;

export interface PodFiles {
  /** In the pod's own UTS namespace. */
  readonly hostname: string;
  /** Path in a container → file of this machine. */
  readonly paths: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

export interface PodFilesInput {
  /** The pod's own. */
  readonly directory: string;
  readonly object: Pod;
  readonly ips: readonly string[];
  readonly dns: ClusterDns & { readonly hostResolvConf: string };
  readonly nodeName: string;
}

export async function writePodFiles({ directory, object, ips, dns, nodeName }: PodFilesInput): Promise<PodFiles> {
  const onHost = object.spec?.hostNetwork === true;
  const hostname = onHost && (object.spec?.hostnameOverride ?? "") === "" ? nodeName : podHostname(object, dns.clusterDomain);
  if (hostname.length > maxHostname)
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${hostname} is too long (${maxHostname} characters is the max, ${hostname.length} characters requested)`,
    );
  const resolver = podResolver(object, parseResolvConf(textOf(dns.hostResolvConf)), dns);
  const hosts = hostsFile({
    ...(onHost ? { nodeFile: textOf("/etc/hosts") } : {}),
    podIPs: ips,
    hostname: podHostname({ ...object, spec: { ...object.spec, containers: [], setHostnameAsFQDN: false } }, dns.clusterDomain),
    fqdn: podFqdn(object, dns.clusterDomain),
    aliases: object.spec?.hostAliases ?? [],
  });
  const files = { "resolv.conf": formatResolvConf(resolver.config), hosts, hostname: `${hostname}\n` };
  const place = join(directory, "etc");
  await mkdir(place, { recursive: true, mode: 0o755 });
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(place, name), text, { mode: 0o644 })));
  const paths = Object.fromEntries(Object.keys(files).map((name) => [join("/etc", name), join(place, name)]));
  return { hostname, paths, warnings: resolver.warnings };
}

/** Of a file that not every machine has. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
