/** Pods that get in each other's way because they share the machine's addresses: found, and told by name. Pure. */
import type { PodRef } from "../api/node-agent.ts";
import type { Container } from "../api/types.ts";
import { joinHostPort } from "../lib/ip.ts";
import type { PortListener } from "./runtime/runtime.ts";

const advice = "in loopback mode bind to $HOST";

/** Ports that a container's last words say are taken; where they name none, the ports that it declares. */
export function takenPorts(errorTail: string, container: Container): readonly number[] {
  const lines = errorTail.split("\n").filter((line) => /EADDRINUSE|address already in use/i.test(line));
  if (lines.length === 0) return [];
  const named = lines.flatMap((line) =>
    [...line.matchAll(/(?:[\d.]{7,15}|\*|::\]?|\[[\da-f:]+\]|tcp[46]? ):(\d{1,5})\b/gi)].map((match) => Number(match[1])),
  );
  const declared = (container.ports ?? []).map(({ containerPort }) => containerPort);
  return [...new Set(named.length > 0 ? named : declared)].filter((port) => port > 0 && port < 65_536);
}

/** Why `pod` cannot listen on `port`, given who does; undefined when none of them is in its way. */
export function bindConflict(pod: PodRef, podIP: string, port: number, listeners: readonly PortListener[]): string | undefined {
  const others = listeners.filter((listener) => listener.pod?.uid !== pod.uid);
  const everywhere = others.find(({ address }) => isEverywhere(address));
  if (everywhere !== undefined) {
    return `pod ${nameOf(pod)} cannot listen on ${joinHostPort(podIP, port)}: ${holder(everywhere)} listens on port ${port} of all addresses; ${advice}`;
  }
  const one = others.find(({ address }) => address !== podIP);
  if (one === undefined) return undefined;
  return `pod ${nameOf(pod)} cannot listen on port ${port} of all addresses: ${holder(one)} listens on ${joinHostPort(one.address, port)}; ${advice}`;
}

/** Whether an answer from `podIP:port` came from somebody else; `listeners`: those whom a connection there reaches. */
export function foreignAnswer(pod: PodRef, podIP: string, port: number, listeners: readonly PortListener[]): string | undefined {
  if (listeners.length === 0 || listeners.some(({ address, pod: owner }) => !isEverywhere(address) || owner?.uid === pod.uid))
    return undefined;
  const other = listeners[0] as PortListener;
  return `${joinHostPort(podIP, port)} is answered by ${holder(other)}, which listens on port ${port} of all addresses; ${advice}`;
}

function holder({ pod, self }: PortListener): string {
  if (self) return "Fairlead itself (for a Service's address)";
  return pod === undefined ? "another program of this machine" : `pod ${nameOf(pod)}`;
}

function nameOf({ namespace, name }: PodRef): string {
  return `${namespace}/${name}`;
}

function isEverywhere(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
