/** A pod's connection to outside: the host connects where it was going, and the two are joined. */
import type { Socket } from "node:net";
import { joinHostPort } from "../../lib/ip.ts";
import { connectTcp } from "../connect.ts";
import { relay } from "../relay.ts";
import type { EgressMetrics } from "./metrics.ts";
import type { EgressTarget } from "./target.ts";

export interface CarryOutOptions {
  readonly target: (socket: Socket) => EgressTarget;
  readonly metrics: EgressMetrics;
  /** A connection does not come about: to which host of the target, and why (an EgressRefusal, an errno, `TooMany`). */
  readonly refused: (socket: Socket, to: string, reason: string) => void;
  /** Connections under way, so that a stop can cut them. */
  readonly open: Set<Socket>;
  readonly maxConnections: number;
  readonly connectMs: number;
}

/** Takes an accepted, paused socket from here to its end. */
export function carryOut(socket: Socket, options: CarryOutOptions): void {
  const { metrics, open, maxConnections } = options;
  const refuse = (to: string, reason: string) => {
    options.refused(socket, to, reason);
    // The handshake with the pod is over by now; a reset is the nearest to a refusal that is left.
    socket.resetAndDestroy();
  };
  socket.on("error", closedByItself);
  const target = options.target(socket);
  if (target.kind === "refuse") return refuse("", target.reason);
  if (open.size >= maxConnections) return refuse(nameOf(target), "TooMany");
  open.add(socket);
  metrics.openConnections.inc();
  socket.once("close", () => {
    open.delete(socket);
    metrics.openConnections.inc(-1);
  });
  connectFirst(target.hosts, target.port, options.connectMs, (result) => {
    if ("failed" in result) return refuse(nameOf(target), result.failed);
    if (socket.destroyed) return void result.destroy();
    metrics.flows.labels("tcp").inc();
    relay(socket, result);
  });
}

/** To the first of the hosts that accepts; when none does, why the first did not. */
function connectFirst(hosts: readonly string[], port: number, timeoutMs: number, done: Parameters<typeof connectTcp>[1]): void {
  const [host = "", ...others] = hosts;
  connectTcp({ host, port, timeoutMs }, (result) => {
    if (!("failed" in result) || others.length === 0) return done(result);
    connectFirst(others, port, timeoutMs, (other) => done("failed" in other ? result : other));
  });
}

function nameOf({ hosts, port }: Extract<EgressTarget, { kind: "to" }>): string {
  return joinHostPort(hosts[0] ?? "", port);
}

function closedByItself(): void {
  // The pod has gone while the connection was made: `close` follows and says so.
}
