/**
 * How the hop on the host gets to an endpoint: by a socket made inside the cluster's network. What the endpoint sees follows from where:
 * the node for masqueraded traffic, the host's own address there (`host.fairlead.internal`) for the rest.
 */
import { createSocket, type Socket } from "node:dgram";
import type { NetworkNamespace } from "../host/namespaces/namespaces.ts";
import { errnoCode } from "../lib/errors.ts";
import { bindUdp, listenTcp } from "../net/listener.ts";
import type { Approach, ConnectResult, Transport } from "../proxy/transport.ts";

export type Place = Pick<NetworkNamespace, "connect" | "bindUdp">;

export interface PlaceOptions {
  /** From where masqueraded traffic to this endpoint comes. */
  readonly node: (endpointIp: string) => Place;
  readonly fabric: Place;
}

export function namespaceTransport({ node, fabric }: PlaceOptions): Transport {
  const placeOf = ({ endpoint, masquerade }: Approach) => (masquerade ? node(endpoint.ip) : fabric);
  return {
    forwardProxy: false,
    listen: listenTcp,
    bindUdp,
    connect: (approach, timeoutMs, answered) => void connectFrom(placeOf(approach), approach, timeoutMs).then(answered),
    udpTarget: (approach) => {
      const { ip, port } = approach.endpoint;
      return { ip, port, open: () => openUdp(placeOf(approach), ip.includes(":") ? 6 : 4) };
    },
  };
}

async function connectFrom(place: Place, { endpoint }: Approach, timeoutMs: number): Promise<ConnectResult> {
  try {
    return (await place.connect({ host: endpoint.ip, port: endpoint.port, timeoutMs })).setNoDelay(true);
  } catch (error) {
    return { failed: errnoCode(error) ?? "ECONNREFUSED" };
  }
}

async function openUdp(place: Place, family: 4 | 6): Promise<Socket> {
  const { fd } = await place.bindUdp(family === 6 ? "::" : "0.0.0.0", 0);
  const socket = createSocket({ type: family === 6 ? "udp6" : "udp4" });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ fd }, () => {
      socket.off("error", reject);
      resolve();
    });
  });
  return socket;
}
