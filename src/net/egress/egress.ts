/**
 * The way out: pods reach the host and the network beyond it by TCP and UDP although their network ends in this process. Packets
 * that leave the cluster arrive in the fabric's namespace and are sent to the listeners here; the sockets that go on
 * are made in the host's namespace, with this user's rights and by its routes.
 */
import type { Socket } from "node:net";
import type { Fabric } from "../../host/namespaces/namespaces.ts";
import type { Clock } from "../../lib/clock.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import { bindUdp, listenTcp, type BindFailure } from "../listener.ts";
import { UdpRelay } from "../udp-relay.ts";
import { egressMetrics, type EgressMetrics } from "./metrics.ts";
import type { EgressNat, Endpoint } from "./nat.ts";
import { carryOut } from "./tcp.ts";
import { egressRouter, type EgressRouter, type EgressRules } from "./target.ts";

export interface EgressLimits {
  /** TCP connections at once; beyond it new ones are reset. Default 4096: each takes two descriptors, of which the whole program has its share. */
  readonly maxConnections: number;
  /** UDP sessions at once in each family; beyond it the one longest idle ends. Default 2048. */
  readonly maxSessions: number;
  /** For a connection to come about, in ms. Default 60,000. */
  readonly connectMs: number;
  /** A UDP session without a datagram ends after this, in ms. Default 180,000 (RFC 4787 asks for two minutes at least). */
  readonly udpIdleMs: number;
}

export interface EgressOptions extends Pick<EgressRules, "clusterCIDRs"> {
  readonly fabric: Pick<Fabric, "listen" | "bindUdp" | "sysctl" | "addresses" | "systemAddresses">;
  readonly nat: EgressNat;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  readonly limits?: Partial<EgressLimits>;
}

/** A `Component`, by shape. */
export interface Egress {
  readonly name: string;
  /** Throws when the kernel does not let us: nothing is left then. */
  start(): Promise<void>;
  stop(): Promise<void>;
  ready(): { readonly ready: true } | { readonly ready: false; readonly reason: string };
}

const defaults: EgressLimits = { maxConnections: 4096, maxSessions: 2048, connectMs: 60_000, udpIdleMs: 180_000 };
/** Where the kernel keeps its own time (conntrack's default for one-way UDP is 30 s), sessions must end before it forgets them. */
const cautiousIdleMs = 25_000;

/** The egress owns `nat`. */
export function createEgress(options: EgressOptions): Egress {
  return new FabricEgress(options);
}

class FabricEgress implements Egress {
  readonly name = "egress";
  readonly #options: EgressOptions;
  readonly #limits: EgressLimits;
  readonly #metrics: EgressMetrics;
  readonly #log: Logger;
  readonly #route: EgressRouter;
  readonly #open = new Set<Socket>();
  #closing: (() => Promise<void> | void)[] = [];
  #ready = false;

  constructor(options: EgressOptions) {
    this.#options = options;
    this.#limits = { ...defaults, ...options.limits };
    this.#metrics = egressMetrics(options.metrics);
    this.#log = options.log.child("egress");
    this.#route = egressRouter({ hostAddresses: options.fabric.addresses, clusterCIDRs: options.clusterCIDRs });
  }

  async start(): Promise<void> {
    const { fabric, nat, clusterCIDRs } = this.#options;
    try {
      const idleMs = await this.#conntrackTimeouts();
      const listeners: Record<"tcp" | "udp", Partial<Record<IpFamily, Endpoint>>> = { tcp: {}, udp: {} };
      for (const address of fabric.addresses) {
        const family: IpFamily = address.includes(":") ? 6 : 4;
        listeners.tcp[family] = await this.#listenTcp(address, family);
        listeners.udp[family] = await this.#listenUdp(address, idleMs);
      }
      await nat.redirect(listeners, { hostAddresses: fabric.addresses, ownAddresses: fabric.systemAddresses, clusterCIDRs });
      this.#ready = true;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#ready = false;
    for (const close of this.#closing.splice(0).reverse()) await close();
    for (const socket of this.#open) socket.resetAndDestroy();
    this.#options.nat.close();
  }

  ready(): ReturnType<Egress["ready"]> {
    return this.#ready ? { ready: true } : { ready: false, reason: "the way out is not set up" };
  }

  async #listenTcp(address: string, family: IpFamily): Promise<Endpoint> {
    const { nat } = this.#options;
    const target = (socket: Socket) => this.#route(nat.tcpDestination(descriptorOf(socket), family));
    const refused = (socket: Socket, to: string, reason: string) => this.#refused("TCP", socket.remoteAddress ?? "", to, reason);
    const carry = { ...this.#limits, target, refused, metrics: this.#metrics, open: this.#open };
    const { fd, port } = await this.#options.fabric.listen(address, 0);
    const listener = await listenTcp({ host: address, port, fd, onConnection: (socket) => carryOut(socket, carry) });
    if (listener.kind === "failed") throw cannotListen(address, listener);
    this.#closing.push(() => listener.close());
    return { address, port };
  }

  async #listenUdp(address: string, idleMs: number): Promise<Endpoint> {
    const { fabric, nat, clock } = this.#options;
    const { fd, port } = await fabric.bindUdp(address, 0);
    let relay: UdpRelay | undefined;
    const listener = await bindUdp({ host: address, port, fd, onMessage: (message, from) => relay?.receive(message, from) });
    if (listener.kind === "failed") throw cannotListen(address, listener);
    const choose = (clientAddress: string, clientPort: number) =>
      this.#udpTarget(clientAddress, nat.udpDestination({ address: clientAddress, port: clientPort }, { address, port }));
    relay = new UdpRelay({ listener: listener.socket, choose, clock, idleMs, maxSessions: this.#limits.maxSessions });
    const sessions = relay;
    this.#closing.push(async () => {
      sessions.close();
      await listener.close();
    });
    return { address, port };
  }

  #udpTarget(client: string, original: Endpoint | undefined): { readonly ip: string; readonly port: number } | undefined {
    const target = this.#route(original);
    if (target.kind === "refuse") return this.#refused("UDP", client, original?.address ?? "", target.reason);
    this.#metrics.flows.labels("udp").inc();
    return { ip: target.hosts[0] as string, port: target.port };
  }

  /** Counted, and with `--log-level debug` told: who wanted to go where, and why it came to nothing. */
  #refused(protocol: "TCP" | "UDP", client: string, to: string, reason: string): undefined {
    this.#metrics.refused.labels(reason).inc();
    this.#log.debug(`${protocol} to outside refused`, { client, to, reason });
  }

  /**
   * A client is known by address and port, under which the kernel may file another destination once it has forgotten the
   * first: it must remember longer than the sessions here do. Gives how long those may be idle.
   */
  async #conntrackTimeouts(): Promise<number> {
    const { fabric } = this.#options;
    const { udpIdleMs } = this.#limits;
    const seconds = String(Math.ceil(udpIdleMs / 1000) + 30);
    try {
      await fabric.sysctl("net/netfilter/nf_conntrack_udp_timeout", seconds);
      await fabric.sysctl("net/netfilter/nf_conntrack_udp_timeout_stream", seconds);
      return udpIdleMs;
    } catch (error) {
      this.#log.debug("UDP sessions end early: the kernel keeps its own time-outs", { error: errorMessage(error) });
      return Math.min(udpIdleMs, cautiousIdleMs);
    }
  }
}

/** node:net shows no descriptor, and the question where a socket was going takes one. */
function descriptorOf(socket: Socket): number {
  const { _handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null };
  return _handle?.fd ?? -1;
}

function cannotListen(address: string, { message }: BindFailure): FairleadError {
  return new FairleadError("FL_LISTEN", `the way out cannot listen on ${address} in the fabric: ${message}`);
}
