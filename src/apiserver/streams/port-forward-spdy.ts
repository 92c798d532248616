/**
 * Port-forward over SPDY/3.1 (`portforward.k8s.io`): for each connection the client opens a stream for errors and one for data, paired by
 * a number of its own (kubelet `pkg/cri/streaming/portforward/httpstream.go`).
 */
import type { Duplex } from "node:stream";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { SpdyConnection, type SpdyStream } from "./spdy/connection.ts";

export const portForwardProtocol = "portforward.k8s.io";

export interface SpdyForwardCall {
  readonly transport: Duplex;
  /** Connects to a port in the pod. */
  readonly dial: (port: number) => Promise<Duplex>;
  readonly log: Logger;
}

/** Resolves when the client is gone. */
export async function forwardOverSpdy({ transport, dial, log }: SpdyForwardCall): Promise<void> {
  const waiting = new Map<string, SpdyStream>();
  const connection = new SpdyConnection({
    transport,
    onStream: (stream) => {
      stream.on("error", () => stream.destroy());
      const pair = paired(stream, waiting);
      if (pair !== undefined) void forward(pair, dial, log);
    },
    onFault: (message) => log.debug("a port-forward connection failed", { error: message }),
  });
  await connection.closed;
}

interface Pair {
  readonly error: SpdyStream;
  readonly data: SpdyStream;
  readonly port: number;
}

/** The two streams of one request, once both are there. What makes no sense is refused. */
function paired(stream: SpdyStream, waiting: Map<string, SpdyStream>): Pair | undefined {
  const { streamtype: type, port: portText = "", requestid: request = "" } = stream.headers;
  const port = portOf(portText);
  if ((type !== "error" && type !== "data") || port === undefined) {
    stream.destroy();
    return undefined;
  }
  const other = waiting.get(request);
  if (other === undefined || other.headers["streamtype"] === type || other.destroyed) {
    waiting.set(request, stream);
    stream.once("close", () => {
      if (waiting.get(request) === stream) waiting.delete(request);
    });
    return undefined;
  }
  waiting.delete(request);
  return type === "data" ? { error: other, data: stream, port } : { error: stream, data: other, port };
}

/** A port as clients write it; undefined when it is none. */
export function portOf(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port < 65536 ? port : undefined;
}

async function forward({ error, data, port }: Pair, dial: SpdyForwardCall["dial"], log: Logger): Promise<void> {
  error.resume();
  let pod: Duplex;
  try {
    pod = await dial(port);
  } catch (cause) {
    error.end(errorMessage(cause));
    data.resume();
    data.end();
    return;
  }
  pod.on("error", (cause) => {
    log.debug("a forwarded connection failed", { port, error: errorMessage(cause) });
    if (error.writable) error.end(errorMessage(cause));
    data.destroy();
  });
  pod.once("close", () => {
    if (error.writable) error.end();
    if (data.writable) data.end();
    else data.destroy();
  });
  data.once("close", () => pod.destroy());
  if (data.destroyed) return void pod.destroy();
  pod.pipe(data);
  data.pipe(pod);
}
