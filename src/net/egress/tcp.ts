/** A pod's connection to outside: the host connects where it was going, and the two are joined. */
import type { Socket } from "node:net";
import { connectTcp } from "../connect.ts";
import { relay } from "../relay.ts";
import type { EgressMetrics } from "./metrics.ts";
import type { EgressTarget } from "./target.ts";

export interface CarryOutOptions {
  readonly target: (socket: Socket) => EgressTarget;
  readonly metrics: EgressMetrics;
  /** Connections under way, so that a stop can cut them. */
  readonly open: Set<Socket>;
  readonly maxConnections: number;
  readonly connectMs: number;
}

/** Takes an accepted, paused socket from here to its end. */
export function carryOut(socket: Socket, options: CarryOutOptions): void {
  const { metrics, open, maxConnections } = options;
  socket.on("error", closedByItself);
  if (open.size >= maxConnections) return refuse(socket, "TooMany", metrics);
  const target = options.target(socket);
  if (target.kind === "refuse") return refuse(socket, target.reason, metrics);
  open.add(socket);
  metrics.openConnections.inc();
  socket.once("close", () => {
    open.delete(socket);
    metrics.openConnections.inc(-1);
  });
  connectFirst(target.hosts, target.port, options.connectMs, (result) => {
    if ("failed" in result) return refuse(socket, result.failed, metrics);
    if (socket.destroyed) return void result.destroy();
    metrics.flows.labels("tcp").inc();
    relay(socket, result);
  });
}

/** To the first of the hosts that accepts; the last failure when none does. */
function connectFirst(hosts: readonly string[], port: number, timeoutMs: number, done: Parameters<typeof connectTcp>[1]): void {
  const [host = "", ...others] = hosts;
  connectTcp({ host, port, timeoutMs }, (result) => {
    if ("failed" in result && others.length > 0) connectFirst(others, port, timeoutMs, done);
    else done(result);
  });
}

/** The handshake with the pod is over by now; a reset is the nearest to a refusal that is left. */
function refuse(socket: Socket, reason: string, metrics: EgressMetrics): void {
  metrics.refused.labels(reason).inc();
  socket.resetAndDestroy();
}

function closedByItself(): void {
  // The pod has gone while the connection was made: `close` follows and says so.
}
