/**
 * Whether a node is still heard from. It is judged by how long this process has seen nothing new of it, on a clock that
 * only moves forward: never by comparing the node's times with the clock on the wall, which leaps when a laptop wakes up and differs
 * between machines (upstream `node_lifecycle_controller.go` `nodeHealthData.probeTimestamp`). Pure.
 */
import type { Lease, Node } from "../../api/types.ts";

export interface Heard {
  /** What was heard last: any change of it is a sign of life. */
  readonly sign: string;
  /** When, in milliseconds of the monotonic clock. */
  readonly at: number;
}

/** `lease`: the node's, from `kube-node-lease`. */
export function hear(before: Heard | undefined, node: Node, lease: Lease | undefined, monotonic: number): Heard {
  const sign = signOf(node, lease);
  return before?.sign === sign ? before : { sign, at: monotonic };
}

/** The node's own writes; conditions that this controller writes keep their heartbeat times. */
function signOf(node: Node, lease: Lease | undefined): string {
  const heartbeats = (node.status?.conditions ?? []).map(({ lastHeartbeatTime = "" }) => lastHeartbeatTime);
  return JSON.stringify([node.metadata.uid, lease?.spec?.renewTime, lease?.metadata.uid, ...heartbeats]);
}

/**
 * Who looks again much later than it meant to was asleep itself, or starved: in that time it could not have heard anybody,
 * and begins to listen anew. (Some machines' monotonic clocks count a laptop's sleep.)
 */
export function afterAbsence(heard: Heard, graceMs: number, monotonic: number): Heard {
  const late = monotonic - (heard.at + graceMs);
  return late > graceMs / 2 ? { ...heard, at: monotonic } : heard;
}

/** Milliseconds until a node that stays silent has been so for too long; 0: it has. */
export function silentIn({ at }: Heard, graceMs: number, monotonic: number): number {
  return Math.max(0, at + graceMs - monotonic);
}
