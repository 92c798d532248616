/**
 * Port-forward over a WebSocket in two ways. `SPDY/3.1+portforward.k8s.io`: the WebSocket carries SPDY as it is (KEP-4006, kubectl 1.31 and
 * newer). `v4.channel.k8s.io`: the ports are in the query, and port i has channel 2i for data and 2i + 1 for errors, each begun by the
 * server with the port's number (kubelet `pkg/cri/streaming/portforward/websocket.go`; other client libraries).
 */
import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket } from "ws";
import { badRequestError } from "../../api/status.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { forwardOverSpdy, portOf } from "./port-forward-spdy.ts";
import { acceptWebSocket, bytesOf, type Upgradable } from "./websocket.ts";

export const tunnelProtocol = "SPDY/3.1+portforward.k8s.io";
export const portChannelProtocols: readonly string[] = ["v5.channel.k8s.io", "v4.channel.k8s.io", "portforward.k8s.io"];

type Dial = (port: number) => Promise<Duplex>;

export async function forwardThroughTunnel(call: Upgradable, dial: Dial, log: Logger): Promise<void> {
  const websocket = await acceptWebSocket(call, tunnelProtocol);
  await forwardOverSpdy({ transport: createWebSocketStream(websocket), dial, log });
}

/** At most so many ports at once: a channel's number is one byte. */
const maxPorts = 127;

/** The ports in the query, `ports=80,443` or one each. Throws 400. */
export function portsOf(query: URLSearchParams): readonly number[] {
  const texts = query.getAll("ports").flatMap((text) => text.split(","));
  const ports = texts.map(portOf);
  if (ports.length === 0 || ports.length > maxPorts || ports.includes(undefined))
    throw badRequestError(`query parameter "ports" must name 1 to ${maxPorts} ports, got ${JSON.stringify(texts.join(","))}`);
  return ports as readonly number[];
}

/** Resolves when the client is gone. */
export async function forwardOverChannels(
  call: Upgradable,
  protocol: string,
  ports: readonly number[],
  dial: Dial,
  log: Logger,
): Promise<void> {
  const websocket = await acceptWebSocket(call, protocol);
  websocket.on("error", (error) => log.debug("a port-forward connection failed", { error: errorMessage(error) }));
  const pods = ports.map((port, index) => channelOf(websocket, index, port, dial));
  websocket.on("message", (data, isBinary) => {
    const message = isBinary ? bytesOf(data) : Buffer.alloc(0);
    const number = message[0] ?? 1;
    // Odd channels are for errors, which clients have none of.
    if (number % 2 === 0) void pods[number / 2]?.write(message.subarray(1));
  });
  await new Promise<void>((resolve) => websocket.once("close", () => resolve()));
  for (const pod of pods) pod.close();
}

interface PortChannel {
  write(chunk: Buffer): Promise<void>;
  close(): void;
}

function channelOf(websocket: WebSocket, index: number, port: number, dial: Dial): PortChannel {
  const [data, error] = [index * 2, index * 2 + 1];
  const number = Buffer.from([port & 0xff, port >> 8]);
  for (const channel of [data, error]) send(websocket, channel, number);
  const fail = (cause: unknown) => send(websocket, error, Buffer.from(errorMessage(cause)));
  const connected = dial(port).then(
    (pod) => {
      pod.on("error", fail);
      pod.on("data", (chunk: Buffer) => {
        if (!send(websocket, data, chunk)) pauseFor(websocket, pod);
      });
      return pod;
    },
    (cause: unknown) => void fail(cause),
  );
  return {
    async write(chunk) {
      const pod = await connected;
      if (pod === undefined || !pod.writable) return;
      if (pod.write(chunk)) return;
      websocket.pause();
      const resume = () => websocket.resume();
      pod.once("drain", resume).once("close", resume);
    },
    close: () => void connected.then((pod) => pod?.destroy()),
  };
}

/** More than this waits for the client before the pod has to. */
const highWater = 1 << 20;

function send(websocket: WebSocket, channel: number, chunk: Uint8Array): boolean {
  if (websocket.readyState !== websocket.OPEN) return true;
  websocket.send(Buffer.concat([Buffer.from([channel]), chunk]));
  return websocket.bufferedAmount < highWater;
}

/** Until everything sent so far is out: a ping's callback comes after it. */
function pauseFor(websocket: WebSocket, pod: Duplex): void {
  pod.pause();
  websocket.ping(undefined, undefined, () => pod.resume());
}
