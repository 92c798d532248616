/** Names as a pod's resolver looks them up: `ndots:5` and the search path of its namespace (resolv.conf(5)). */
import type { ClusterDns } from "../cluster-dns.ts";

/** Addresses, none when there is no such name. */
export async function resolveAsPod(
  dns: Pick<ClusterDns, "query"> | undefined,
  host: string,
  namespace: string,
  clusterDomain: string,
): Promise<readonly string[]> {
  if (dns === undefined) return [];
  for (const name of candidates(host, namespace, clusterDomain)) {
    const { answers } = await dns.query(name, "A");
    const found = answers.filter(({ type }) => type === "A").map(({ text }) => text);
    if (found.length > 0) return found;
  }
  return [];
}

function candidates(host: string, namespace: string, clusterDomain: string): readonly string[] {
  if (host.endsWith(".")) return [host];
  const search = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  const expanded = search.map((domain) => `${host}.${domain}.`);
  const dots = host.split(".").length - 1;
  return dots >= 5 ? [`${host}.`, ...expanded] : [...expanded, `${host}.`];
}
