/**
 * What the way out needs of the kernel: packets that leave the cluster sent to a listener, and where they were going. In
 * the fabric's namespace, one hop beyond the nodes: what a node's Service rules have rewritten (a Service whose endpoints are outside)
 * cannot be rewritten again in the same node, and here it shows the endpoint as its destination.
 */
import type { IpFamily } from "../../lib/ip.ts";
import type { EgressRules } from "./target.ts";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Where the listeners are, by family. */
export type ListenerPair = Readonly<Partial<Record<IpFamily, Endpoint>>>;

export interface NatRules extends EgressRules {
  /** Of servers in the fabric's own namespace, for pods: left alone. */
  readonly ownAddresses: readonly string[];
}

export interface EgressNat {
  /** From now on packets that leave the cluster come to the listeners. */
  redirect(listeners: { readonly tcp: ListenerPair; readonly udp: ListenerPair }, rules: NatRules): Promise<void>;
  /** Of an accepted socket's descriptor. */
  tcpDestination(fd: number, family: IpFamily): Endpoint | undefined;
  /** Of a datagram from `client` that came to the listener `local`. */
  udpDestination(client: Endpoint, local: Endpoint): Endpoint | undefined;
  /** Rules go with their namespace. */
  close(): void;
}
