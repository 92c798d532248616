/** Sockets, datagrams and TLS of Node (`node:net`, `node:dgram`, `node:tls`), in the thread that makes it. */
import type { Socket } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import { bindUdp, listenTcp } from "../../net/listener.ts";
import type { Carrier } from "./carrier.ts";
import { connectNodeTls, createNodeTlsServer } from "./node-tls.ts";
import { plainConnect } from "./plain-connect.ts";

export interface NodeCarrierOptions {
  readonly clock: Clock;
  /** Default: from this host's network. */
  readonly connect?: Carrier["connect"] | undefined;
  /** Default: from this host's network. */
  readonly udpTarget?: Carrier["udpTarget"] | undefined;
}

export function createNodeCarrier({ clock, connect = plainConnect, udpTarget = (endpoint) => endpoint }: NodeCarrierOptions): Carrier {
  return {
    clock,
    // After the poll phase: whatever came with it is dealt with.
    soon: (run) => void setImmediate(run),
    listen: listenTcp,
    bindUdp,
    connect,
    udpTarget,
    tlsServer: createNodeTlsServer,
    tlsClient: (socket, options) => connectNodeTls(socket as Socket, options),
  };
}
