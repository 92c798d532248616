/** Addresses of servers as directives name them: `9.9.9.9`, `9.9.9.9:5353`, `[::1]:53`, `::1`. */
import { formatIp, parseIp } from "../../lib/ip.ts";

export interface ServerAddress {
  /** An IP address, canonical. */
  readonly host: string;
  readonly port: number;
}

/** Undefined when it is none. */
export function parseServer(text: string, defaultPort = 53): ServerAddress | undefined {
  const [, bracketed, port6] = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return checked(bracketed, port6, defaultPort);
  if (parseIp(text) !== undefined) return checked(text, undefined, defaultPort);
  const [, host, port] = /^([^:]+):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined ? undefined : checked(host, port, defaultPort);
}

function checked(host: string, port: string | undefined, defaultPort: number): ServerAddress | undefined {
  const ip = parseIp(host);
  const number = port === undefined ? defaultPort : Number(port);
  return ip !== undefined && number > 0 && number <= 65_535 ? { host: formatIp(ip), port: number } : undefined;
}
