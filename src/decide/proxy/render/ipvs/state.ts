/**
 * What ipvs mode wants of the kernel, for one address family: virtual servers with their real servers, the addresses that make the
 * kernel take packets for them, sets of addresses and ports, and a fixed number of iptables rules that ask those sets. Frozen
 * plain data; also what the kernel is read back as.
 */
import { joinHostPort, type IpFamily } from "../../../../lib/ip.ts";
import type { Protocol } from "../../plan.ts";
import type { IptablesRules } from "../iptables/rules.ts";
import type { SetName } from "./sets.ts";

/** `--ipvs-scheduler` (ipvsadm(8); net/netfilter/ipvs/ip_vs_*.c). */
export const ipvsSchedulers = {
  rr: "round robin",
  wrr: "weighted round robin",
  lc: "least connections",
  wlc: "weighted least connections",
  lblc: "least connections by destination address",
  lblcr: "least connections by destination address, with replication",
  sh: "hash of the client's address",
  dh: "hash of the destination address",
  sed: "shortest expected delay",
  nq: "never queue",
  fo: "the one of highest weight",
  ovf: "overflow to the next by weight",
  mh: "Maglev hash of the client's address and port",
  twos: "the better of two at random",
} as const;

export type IpvsScheduler = keyof typeof ipvsSchedulers;

export function isIpvsScheduler(text: string): text is IpvsScheduler {
  return Object.hasOwn(ipvsSchedulers, text);
}

export interface VirtualServer {
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly scheduler: IpvsScheduler;
  /** Clients keep their real server so long (`sessionAffinity: ClientIP`); absent: they do not. */
  readonly persistenceSeconds?: number;
  /** Scheduler mh hashes the client's port too. */
  readonly hashPort?: boolean;
  /** In order of address and port. Where there is none, the kernel refuses (ICMP port unreachable). */
  readonly realServers: readonly RealServer[];
}

export interface RealServer {
  readonly ip: string;
  readonly port: number;
  /** 0: gets no new connections, and keeps those that it has. */
  readonly weight: number;
}

export interface IpvsState {
  readonly kind: "ipvs";
  readonly family: IpFamily;
  /** By `serverKey`, in its order. */
  readonly virtualServers: readonly VirtualServer[];
  /** Of the dummy link `kube-ipvs0`. */
  readonly addresses: readonly string[];
  /** Every set of `sets.ts`, also where it is empty; entries in order. */
  readonly sets: ReadonlyMap<SetName, readonly string[]>;
  readonly rules: IptablesRules;
}

/** As upstream names a virtual server: `10.96.0.10:53/UDP`. */
export function serverKey({ address, port, protocol }: Pick<VirtualServer, "address" | "port" | "protocol">): string {
  return `${joinHostPort(address, port)}/${protocol}`;
}

export function realKey({ ip, port }: Pick<RealServer, "ip" | "port">): string {
  return joinHostPort(ip, port);
}
