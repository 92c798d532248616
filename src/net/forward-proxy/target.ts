/** Where a client wants to go, and the one way there for HTTP and SOCKS alike. */
import { isIP, type Socket } from "node:net";
import { errorMessage } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";

/** The pod that a client's credentials name. */
export interface ClientPod {
  readonly namespace: string;
  readonly name: string;
  /** Its address, so that the other side sees the pod. */
  readonly ip: string;
}

export interface ConnectFailure {
  readonly kind: "failed";
  readonly why: "unresolved" | "refused" | "timeout" | "unreachable";
  /** For the person at the client. */
  readonly message: string;
}

export interface TargetOptions {
  /** The addresses of a name as that pod sees it; empty: there is none. A rejection is told to the client. */
  readonly resolve: (host: string, client: ClientPod) => Promise<readonly string[]>;
  /** A connected socket (half-open allowed, nothing read) or why there is none; within a time of its own. */
  readonly dial: (ip: string, port: number, client: ClientPod) => Promise<Socket | ConnectFailure>;
  readonly log: Logger;
}

const lingerMs = 1000;

/** Resolves and connects, address after address. Never rejects. */
export async function openTarget(
  host: string,
  port: number,
  client: ClientPod,
  { resolve, dial, log }: TargetOptions,
): Promise<Socket | ConnectFailure> {
  const where = joinHostPort(host, port);
  try {
    const addresses = isIP(host) === 0 ? await resolve(host, client) : [host];
    let failure: ConnectFailure = {
      kind: "failed",
      why: "unresolved",
      message: `${host}: no such name (asked as pod ${client.namespace}/${client.name})`,
    };
    for (const address of addresses) {
      const result = await dial(address, port, client);
      if (!("kind" in result)) return result;
      failure = result;
    }
    log.debug("no connection", { to: where, pod: `${client.namespace}/${client.name}`, why: failure.message });
    return failure;
  } catch (error) {
    log.warn("no connection", { to: where, pod: `${client.namespace}/${client.name}`, error: errorMessage(error) });
    return { kind: "failed", why: "unresolved", message: `${where}: ${errorMessage(error)}` };
  }
}

/** The last that a refused client hears; one that does not close its side then is cut off. */
export function farewell(socket: Socket, last: string | Uint8Array): void {
  socket.end(last, () => socket.setTimeout(lingerMs, () => socket.destroy()));
}

/** `web:80`, `[::1]:80` → host and port; undefined when malformed or without a port. */
export function parseAuthority(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/?#@[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
