/** What the main thread and the namespaces thread say to each other. */
import type { SpawnOptions } from "./namespaces.ts";

/** A namespace's number: 0 is the fabric. */
export type NamespaceId = number;

export interface ThreadOptions {
  readonly nodeCIDRs: readonly string[];
}

export type SocketKind = "tcp" | "udp";

/** Each is carried out whole before the next one is looked at. */
export type Operation =
  | { readonly kind: "add-node"; readonly index: number; readonly podCIDRs: readonly string[] }
  | { readonly kind: "add-pod"; readonly node: NamespaceId; readonly addresses: readonly string[] }
  | { readonly kind: "add-address"; readonly node: NamespaceId; readonly address: string }
  | { readonly kind: "remove-address"; readonly node: NamespaceId; readonly address: string }
  | { readonly kind: "remove"; readonly namespace: NamespaceId }
  | {
      readonly kind: "connect";
      readonly namespace: NamespaceId;
      readonly host: string;
      readonly port: number;
      readonly localAddress?: string;
    }
  | { readonly kind: "bind"; readonly namespace: NamespaceId; readonly socket: SocketKind; readonly address: string; readonly port: number }
  | { readonly kind: "netlink"; readonly namespace: NamespaceId; readonly protocol: number }
  | { readonly kind: "sysctl"; readonly namespace: NamespaceId; readonly name: string; readonly value: string }
  | { readonly kind: "spawn"; readonly namespace: NamespaceId; readonly options: SpawnOptions };

/** What the operation of each kind gives back. */
export interface Results {
  "add-node": { readonly id: NamespaceId; readonly fd: number; readonly addresses: readonly string[] };
  "add-pod": { readonly id: NamespaceId; readonly fd: number };
  "add-address": undefined;
  "remove-address": undefined;
  remove: undefined;
  /** `connected` false: under way. */
  connect: { readonly fd: number; readonly connected: boolean };
  bind: { readonly fd: number; readonly port: number };
  netlink: { readonly fd: number };
  sysctl: undefined;
  spawn: { readonly pid: number };
}

export type ToThread = { readonly kind: "operation"; readonly call: number; readonly operation: Operation } | { readonly kind: "stop" };

export interface Failure {
  readonly message: string;
  /** Of a system error. */
  readonly system?: { readonly syscall: string; readonly errno: number; readonly code: string };
}

export type FromThread =
  | {
      readonly kind: "ready";
      readonly fd: number;
      readonly families: readonly (4 | 6)[];
      readonly addresses: readonly string[];
      readonly systemAddresses: readonly string[];
    }
  | { readonly kind: "unable"; readonly failure: Failure }
  | { readonly kind: "done"; readonly call: number; readonly result: Results[keyof Results] }
  | { readonly kind: "failed"; readonly call: number; readonly failure: Failure };

export function describeFailure(error: unknown): Failure {
  const { message, syscall, errno, code } = error as Partial<NodeJS.ErrnoException>;
  const said = message ?? String(error);
  if (typeof syscall !== "string" || typeof errno !== "number" || typeof code !== "string") return { message: said };
  return { message: said, system: { syscall, errno, code } };
}

/** An error with the shape of the one in the thread (`code`, `errno`, `syscall`). */
export function restoreFailure(failure: Failure): Error {
  return Object.assign(new Error(failure.message), failure.system);
}
