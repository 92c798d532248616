/** The servers that `forward` names: `9.9.9.9`, `tls://9.9.9.9%dns.quad9.net`, `https://…`, a resolv.conf, or a host's name. */
import type { ConnectionOptions } from "node:tls";
import { isDomainName } from "../../../decide/dns/name.ts";
import { joinHostPort, parseIp } from "../../../lib/ip.ts";
import { splitTransport } from "../../corefile/zones.ts";
import { parseServer } from "../../corefile/servers.ts";
import { nameServersAndSearch } from "../autopath/resolv-conf.ts";

export type UpstreamTransport = "dns" | "tls" | "https";

export interface UpstreamTarget {
  readonly transport: UpstreamTransport;
  /** An address. */
  readonly host: string;
  readonly port: number;
  /** How it is called in metrics and messages: `9.9.9.9:53`. */
  readonly label: string;
  /** Undefined for plain DNS. */
  readonly tls: ConnectionOptions | undefined;
}

/** A server as named, before TLS is settled. */
export type NamedTarget =
  | {
      readonly kind: "address";
      readonly transport: UpstreamTransport;
      readonly host: string;
      readonly port: number;
      readonly serverName: string;
    }
  | {
      readonly kind: "host";
      readonly transport: UpstreamTransport;
      readonly name: string;
      readonly port: number;
      readonly serverName: string;
    };

const ports: Readonly<Record<UpstreamTransport, number>> = { dns: 53, tls: 853, https: 443 };

/** The servers of one TO, or why there are none. `readFile` throws as `fs.readFileSync` does. */
export function readTargets(text: string, readFile: (path: string) => string): readonly NamedTarget[] | string {
  const { transport, rest } = splitTransport(text);
  if (transport !== "dns" && transport !== "tls" && transport !== "https")
    return `transport '${transport}' of '${text}' is not supported here; expected dns, tls or https`;
  if (transport === "https" && rest.includes("/")) return "paths are not allowed in HTTPS upstream addresses";
  const { address, serverName } = splitZone(rest);
  const server = parseServer(address, ports[transport]);
  if (server !== undefined) return [{ kind: "address", transport, ...server, serverName }];
  const content = fileContent(rest, readFile);
  if (content !== undefined) {
    return nameServersAndSearch(content).servers.flatMap((one): readonly NamedTarget[] => {
      const found = parseServer(one, ports[transport]);
      return found === undefined ? [] : [{ kind: "address", transport, ...found, serverName: "" }];
    });
  }
  // A file that is not there names no server now; it may when the Corefile is read again.
  if (rest.includes("/")) return [];
  return hostTarget(address, transport, serverName) ?? `not an IP address or file: "${text}"`;
}

/** `127.0.0.1%example.net:854`, `[::1%example.net]:853`: the name is what the certificate must be for. */
export function splitZone(text: string): { readonly address: string; readonly serverName: string } {
  const [, before, name = "", after = ""] = /^([^%]+)%([^\]:]+)(.*)$/.exec(text) ?? [];
  return before === undefined ? { address: text, serverName: "" } : { address: before + after, serverName: name };
}

function fileContent(path: string, readFile: (path: string) => string): string | undefined {
  try {
    return readFile(path);
  } catch {
    // Not a file that can be read: then it may be a name.
    return undefined;
  }
}

/** Only a name that looks like one: a path or a broken address is no host. */
function hostTarget(text: string, transport: UpstreamTransport, serverName: string): readonly NamedTarget[] | undefined {
  const [, name = text, digits] = /^([^:]+):(\d{1,5})$/.exec(text) ?? [];
  const port = digits === undefined ? ports[transport] : Number(digits);
  const looksLikeName =
    isDomainName(name) && /^[a-z0-9_.-]+$/i.test(name) && name.replace(/\.$/, "").includes(".") && !/\.\d+\.?$/.test(name);
  if (!looksLikeName || port < 1 || port > 65_535 || parseIp(name) !== undefined) return undefined;
  return [{ kind: "host", transport, name, port, serverName }];
}

export function labelOf({
  host,
  port,
  transport,
}: {
  readonly host: string;
  readonly port: number;
  readonly transport: UpstreamTransport;
}): string {
  return `${transport === "dns" ? "" : `${transport}://`}${joinHostPort(host, port)}`;
}
