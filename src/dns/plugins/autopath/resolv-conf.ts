/** resolv.conf(5): name servers and search domains; of several `search` and `domain` lines the last counts. */
import { absolute, foldName, isDomainName } from "../../../decide/dns/name.ts";

export interface ResolvConf {
  /** Addresses, zones of link-local ones left out. */
  readonly servers: readonly string[];
  /** Folded, absolute. */
  readonly search: readonly string[];
}

export function nameServersAndSearch(text: string): ResolvConf {
  const servers: string[] = [];
  let search: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (word === "nameserver" && rest[0] !== undefined) servers.push(rest[0].split("%")[0] as string);
    if (word === "search" || word === "domain") search = rest.filter(isDomainName).map((name) => foldName(absolute(name)));
  }
  return { servers, search };
}

/** Search domains that pods have from their node; a machine without a resolv.conf has none. */
export function machineSearch({ readFile }: { readonly readFile: (path: string) => string }): readonly string[] {
  try {
    return nameServersAndSearch(readFile("/etc/resolv.conf")).search;
  } catch {
    return [];
  }
}
