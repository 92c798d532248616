/**
 * The userspace backend: a listener for each virtual address that this host has, a relay for each connection. Needs no
 * rights and no kernel rules; see README.md beside this file.
 */
import type { StreamSocket } from "../../../net/stream-socket.ts";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { FairleadError } from "../../../lib/errors.ts";
import type { Clock } from "../../../lib/clock.ts";
import { joinHostPort, type Ip } from "../../../lib/ip.ts";
import type { PortPlan, Protocol, ServicePlan, SourceClass, VirtualAddress } from "../../../decide/proxy/index.ts";
import { servicePortText } from "../../../decide/proxy/index.ts";
import type { OpenHttpPool } from "../../http-pool.ts";
import type { ProxyMetrics } from "../../metrics.ts";
import type { BindFailure } from "../../../net/listener.ts";
import { hostTransport, type Transport } from "../../transport.ts";
import type { AddressProblem, Backend, CarriedConnections, DialResult, DialTarget, HandedOver } from "../backend.ts";
import { carries, PortState, routeOf } from "./address.ts";
import { cleanup } from "./cleanup.ts";
import type { HandedListener, InheritedListeners } from "../inherited.ts";
import { bind, bindProblem, type Bound, type ListenAt } from "./listeners.ts";
import type { Redirects } from "./redirects.ts";
import { standInPorts, standInProblem } from "./stand-in.ts";
import { reach, type Reached } from "./tcp.ts";

export interface UserspaceOptions {
  readonly clock: Clock;
  readonly metrics: ProxyMetrics;
  readonly classify: (from: Ip, text: string) => SourceClass;
  /** Addresses of this host besides 127.0.0.0/8 and ::1. */
  readonly hostAddresses: readonly string[];
  /** Default: from this host's network. */
  readonly transport?: Transport;
  /** For virtual addresses that are not this host's. Absent: they are not open. Closed when the backend stops. */
  readonly redirects?: Redirects;
  /** For Services that ask for each request to be balanced. Absent: their connections are. */
  readonly openHttpPool?: OpenHttpPool;
  /** Of the proxy before this one. */
  readonly inherited?: InheritedListeners;
  /** How an address is bound; a test may forbid some. */
  readonly bind?: typeof bind;
}

/** A virtual address that a Service has claimed: with a listener where one can be and is wanted. */
interface Claim {
  readonly owner: string;
  readonly protocol: Protocol;
  address: VirtualAddress;
  port: PortState;
  bound?: Bound;
}

export class UserspaceBackend implements Backend {
  readonly mode = "userspace";
  readonly #options: UserspaceOptions & Required<Pick<UserspaceOptions, "transport" | "bind">>;
  readonly #host: ReadonlySet<string>;
  /** `TCP 127.96.0.1 80` → claim. */
  readonly #claims = new Map<string, Claim>();
  /** Service → its ports (`name/protocol` → state), and the addresses that it claimed. */
  readonly #services = new Map<string, { readonly ports: Map<string, PortState>; readonly claims: Set<string> }>();
  /** Address → Services that want it while another has it. */
  readonly #waiting = new Map<string, Set<string>>();
  readonly #released = new Set<string>();
  /** Port that listens in place of another → the claim that it serves. */
  readonly #standIns = new Map<string, Claim>();
  readonly #open = new Set<StreamSocket>();
  #handedOver = false;

  constructor(options: UserspaceOptions) {
    this.#options = { transport: hostTransport, bind, ...options };
    this.#host = new Set(options.hostAddresses);
  }

  get served(): number {
    return [...this.#claims.values()].filter(({ bound }) => bound !== undefined).length;
  }

  async apply(key: string, plan: ServicePlan | undefined): Promise<readonly AddressProblem[]> {
    const ports = plan?.kind === "service" ? plan.ports : [];
    const service = this.#services.get(key) ?? { ports: new Map<string, PortState>(), claims: new Set<string>() };
    this.#services.set(key, service);
    const wanted = new Set(ports.flatMap((port) => port.addresses.map((address) => claimKey(port.protocol, address))));
    for (const claim of service.claims) if (!wanted.has(claim)) await this.#release(key, claim);
    this.#updatePorts(service.ports, ports);
    const problems: AddressProblem[] = [];
    for (const port of ports) {
      const state = service.ports.get(portKey(port)) as PortState;
      for (const address of port.addresses) problems.push(...(await this.#serve(key, port, state, address)));
    }
    if (ports.length === 0) this.#services.delete(key);
    return problems;
  }

  #updatePorts(states: Map<string, PortState>, ports: readonly PortPlan[]): void {
    const wanted = new Set(ports.map(portKey));
    for (const [name, state] of states) {
      if (wanted.has(name)) continue;
      states.delete(name);
      void state.requests.drain();
    }
    for (const port of ports) {
      const state = states.get(portKey(port));
      if (state === undefined) states.set(portKey(port), new PortState(port, this.#options));
      else state.update(port);
    }
  }

  async #serve(owner: string, { protocol }: PortPlan, port: PortState, address: VirtualAddress): Promise<readonly AddressProblem[]> {
    const key = claimKey(protocol, address);
    const claim = this.#claims.get(key) ?? { owner, protocol, address, port };
    if (claim.owner !== owner) return [this.#taken(key, claim, owner)];
    this.#claims.set(key, claim);
    this.#services.get(owner)?.claims.add(key);
    Object.assign(claim, { address, port });
    if (claim.bound !== undefined) Object.assign(claim.bound, { address, port });
    if (!carries(address)) return await this.#refuse(claim);
    if (claim.bound === undefined) return await this.#bind(claim);
    claim.bound.recheck();
    const standsIn = this.#standIns.has(claimKey(protocol, { ...address, port: claim.bound.at }));
    return standsIn ? [standInProblem(protocol, address, claim.bound.at)] : [];
  }

  async #refuse(claim: Claim): Promise<readonly AddressProblem[]> {
    const { protocol, address } = claim;
    await this.#unbind(claim);
    if (protocol !== "SCTP" && !this.#isHost(address.address)) this.#options.redirects?.refuse(protocol, address);
    return [];
  }

  /** By a listener of the host's own and a rule that leads there. */
  async #redirect(claim: Claim): Promise<readonly AddressProblem[]> {
    const { protocol, address, port } = claim;
    const { redirects } = this.#options;
    const host = redirects?.listenAddress(address.address);
    if (redirects === undefined || host === undefined || protocol === "SCTP")
      return [this.#problem(protocol, address, { kind: "failed", code: "EADDRNOTAVAIL", message: "" })].map(permanent);
    const at = this.#inherited(protocol, address, host) ?? { host, port: 0 };
    const bound = await this.#options.bind(protocol, address, port, { ...this.#options, open: this.#open }, at);
    if ("kind" in bound) return [this.#problem(protocol, address, bound)];
    claim.bound = bound;
    redirects.lead(protocol, address, { address: host, port: bound.at });
    return [];
  }

  async #bind(claim: Claim): Promise<readonly AddressProblem[]> {
    const { protocol, address, port } = claim;
    if (protocol === "SCTP") return [unsupported(protocol, address)];
    if (!this.#isHost(address.address)) return await this.#redirect(claim);
    const ousted = this.#standIns.get(claimKey(protocol, address));
    if (ousted !== undefined) await this.#unbind(ousted);
    const at = this.#inherited(protocol, address, address.address);
    const bound = await this.#options.bind(protocol, address, port, { ...this.#options, open: this.#open }, at);
    if (ousted !== undefined) this.#released.add(ousted.owner);
    if ("kind" in bound) return bound.code === "EACCES" ? await this.#bindStandIn(claim) : [this.#problem(protocol, address, bound)];
    claim.bound = bound;
    return [];
  }

  /** Where low ports are not allowed, a load balancer's address listens on another port of its own. */
  async #bindStandIn(claim: Claim): Promise<readonly AddressProblem[]> {
    const { protocol, address, port } = claim;
    for (const at of address.kind === "loadBalancer" ? standInPorts(address.port) : []) {
      const key = claimKey(protocol, { ...address, port: at });
      if (this.#claims.has(key) || this.#standIns.has(key)) continue;
      const bound = await this.#options.bind(
        protocol,
        address,
        port,
        { ...this.#options, open: this.#open },
        { host: address.address, port: at },
      );
      if ("kind" in bound) continue;
      claim.bound = bound;
      this.#standIns.set(claimKey(protocol, { ...address, port: bound.at }), claim);
      return [standInProblem(protocol, address, bound.at)];
    }
    return [this.#problem(protocol, address, { kind: "failed", code: "EACCES", message: "" })];
  }

  #problem(protocol: Protocol, address: VirtualAddress, failure: BindFailure): AddressProblem {
    return bindProblem(protocol, address, failure, this.#options.transport.forwardProxy);
  }

  async #unbind(claim: Claim): Promise<readonly AddressProblem[]> {
    const { bound, protocol, address } = claim;
    delete claim.bound;
    if (protocol !== "SCTP" && !this.#isHost(address.address)) this.#options.redirects?.leave(protocol, address);
    if (bound !== undefined) this.#standIns.delete(claimKey(protocol, { ...address, port: bound.at }));
    await bound?.close();
    return [];
  }

  async #release(owner: string, key: string): Promise<void> {
    const claim = this.#claims.get(key);
    this.#services.get(owner)?.claims.delete(key);
    if (claim === undefined || claim.owner !== owner) return;
    this.#claims.delete(key);
    for (const service of this.#waiting.get(key) ?? []) this.#released.add(service);
    this.#waiting.delete(key);
    await this.#unbind(claim);
  }

  #taken(key: string, { owner, protocol, address }: Claim, wants: string): AddressProblem {
    this.#waiting.set(key, (this.#waiting.get(key) ?? new Set()).add(wants));
    const text = joinHostPort(address.address, address.port);
    const message = `${protocol} ${text} belongs to Service ${owner} already. It is taken over when that Service gives it up.`;
    return { reason: "AddressTaken", severity: "warning", retry: false, protocol, address: address.address, port: address.port, message };
  }

  takeReleased(): readonly string[] {
    const released = [...this.#released];
    this.#released.clear();
    return released;
  }

  /** All of 127.0.0.0/8 is this host's on Linux. */
  #isHost(address: string): boolean {
    return address.startsWith("127.") || address === "::1" || this.#host.has(address);
  }

  async dial({ ip, port, protocol, client = "127.0.0.1" }: DialTarget): Promise<DialResult> {
    const claim = this.#claims.get(`${protocol} ${ip} ${port}`);
    if (claim === undefined) return { kind: "unknown" };
    const name = claim.port.name;
    const route = routeOf(claim.port, claim.address, client, this.#options.classify);
    if (route.kind === "refuse") return this.#refused(route.reason, name);
    const { balancer, masquerade } = route;
    const transport = this.#options.transport.giving ?? this.#options.transport;
    const reached = await new Promise<Reached>((resolve) => reach({ ...this.#options, transport, balancer, client, masquerade }, resolve));
    if (reached === undefined) return this.#refused(route.balancer.endpoints.length === 0 ? "NoEndpoints" : "AllEndpointsFailed", name);
    const { socket } = reached;
    if (!(socket instanceof Socket)) throw new FairleadError("FL_INTERNAL", "a connection that is given away is none of Node's sockets");
    this.#options.metrics.connections.inc();
    return {
      kind: "connected",
      socket,
      servicePort: name,
      endpoint: joinHostPort(reached.endpoint.ip, reached.endpoint.port),
    };
  }

  #refused(reason: keyof typeof refusals, servicePort: string): DialResult {
    this.#options.metrics.refused.labels(reason).inc();
    return { kind: "refused", reason, message: `Service ${servicePort} ${refusals[reason]}` };
  }

  #inherited(protocol: Protocol, address: VirtualAddress, host: string): ListenAt | undefined {
    const key = claimKey(protocol, address);
    const listener = this.#options.inherited?.get(key);
    this.#options.inherited?.delete(key);
    return listener === undefined ? undefined : { host, ...listener };
  }

  traffic(): readonly CarriedConnections[] {
    return this.#ports().flatMap((port) => port.traffic());
  }

  #ports(): readonly PortState[] {
    return [...this.#services.values()].flatMap(({ ports }) => [...ports.values()]);
  }

  /** Every Service is known: rules take effect, and what nobody has claimed of an earlier proxy goes. */
  async completed(): Promise<void> {
    this.#options.redirects?.open();
    for (const { fd } of this.#options.inherited?.values() ?? []) closeSync(fd);
    this.#options.inherited?.clear();
  }

  async heal(): Promise<boolean> {
    return this.#options.redirects?.heal() ?? false;
  }

  /** What another proxy can go on with. From here on this one only carries what it has begun; `drained`: nothing any more. */
  handOver(): HandedOver {
    const listeners = [...this.#claims.entries()].flatMap(([key, { bound, protocol }]): HandedListener[] =>
      protocol === "TCP" && bound?.fd !== undefined ? [{ key, port: bound.at, fd: bound.fd }] : [],
    );
    this.#handedOver = true;
    const given = async () => {
      await Promise.all([...this.#claims.values()].map(({ bound }) => bound?.close()));
      await Promise.all(this.#ports().map(({ requests }) => requests.drain()));
      this.#claims.clear();
      while (this.#open.size > 0) await new Promise<void>((done) => [...this.#open][0]?.once("close", done));
    };
    return { listeners, given };
  }

  async stop(): Promise<void> {
    const claims = [...this.#claims.values()];
    const ports = this.#ports();
    this.#claims.clear();
    this.#services.clear();
    this.#standIns.clear();
    await cleanup(
      claims.flatMap(({ bound }) => bound ?? []),
      this.#open,
    );
    await Promise.all(ports.map(({ requests }) => requests.stop()));
    this.#options.redirects?.close(this.#handedOver);
    this.#options.transport.close?.();
  }
}

const refusals = {
  NoEndpoints: "has no ready endpoint",
  NoLocalEndpoints: "has no endpoint on this node, and its traffic policy is Local",
  SourceNotAllowed: "does not let this client in (loadBalancerSourceRanges)",
  AllEndpointsFailed: "has endpoints, but none of them accepts a connection",
} as const;

function claimKey(protocol: Protocol, { address, port }: Pick<VirtualAddress, "address" | "port">): string {
  return `${protocol} ${address} ${port}`;
}

function portKey({ servicePort, protocol }: PortPlan): string {
  return `${servicePortText(servicePort)}/${protocol}`;
}

function permanent(problem: AddressProblem): AddressProblem {
  return { ...problem, retry: false };
}

function unsupported(protocol: Protocol, { address, port }: VirtualAddress): AddressProblem {
  const message = `${protocol} ${joinHostPort(address, port)} is not open: the userspace proxy carries TCP and UDP only.`;
  return { reason: "ProtocolNotSupported", severity: "warning", retry: false, protocol, address, port, message };
}
