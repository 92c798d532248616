/**
 * Whom a connection speaks for: its own peer, or whom a load balancer names in a PROXY header (HAProxy `doc/proxy-protocol.txt`). Only
 * trusted ones are believed, and of these a header is asked for: who may leave it out may as well make one up.
 */
import { parseProxyHeader, type ProxyAddresses, type ProxyHeader } from "../../net/proxy-protocol.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import { inRanges } from "./address-ranges.ts";
import { peek, type Peeked, type PeekOptions } from "./peek.ts";

export interface Place {
  readonly host: string;
  readonly port: number;
}

export class ProxiedPeers {
  /** By the connection's own peer: that is what a socket still has when it has come out of its TLS. */
  readonly #named = new Map<string, Named>();

  /** `then` is called when it is known whom the connection speaks for. */
  read(socket: StreamSocket, trusted: readonly string[], limits: Pick<PeekOptions<Named>, "timeoutMs" | "clock">, then: () => void): void {
    if (!inRanges(trusted, socket.remoteAddress ?? "")) return then();
    peek(socket, {
      ...limits,
      look: (bytes) => lookForHeader(parseProxyHeader(bytes)),
      done: (named) => {
        const key = keyOf(socket);
        this.#named.set(key, named);
        socket.once("close", () => this.#named.delete(key));
        then();
      },
    });
  }

  /** `here`: where the connection was taken in. */
  addresses(socket: StreamSocket, here: Place): ProxyAddresses {
    const named = this.#named.size === 0 ? undefined : this.#named.get(keyOf(socket));
    return {
      source: named?.source ?? { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
      destination: named?.destination ?? { address: here.host, port: here.port },
    };
  }
}

type Named = Partial<ProxyAddresses>;

function lookForHeader(header: ProxyHeader): Peeked<Named> {
  switch (header.kind) {
    case "short":
      return header;
    case "none":
    case "malformed":
      return { kind: "malformed" };
    case "header": {
      const { source, destination } = header;
      const value = { ...(source === undefined ? {} : { source }), ...(destination === undefined ? {} : { destination }) };
      return { kind: "ok", value, used: header.length };
    }
  }
}

function keyOf({ remoteAddress, remotePort }: StreamSocket): string {
  return `${remoteAddress} ${remotePort}`;
}
