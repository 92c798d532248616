/**
 * The addresses of a cluster in loopback mode. All of 127.0.0.0/8 answers on a Linux machine without any set-up, so each
 * cluster takes two blocks of 65,536 addresses for itself: Services in 127.<96+2n>.0.0/16, pods in 127.<97+2n>.0.0/17. A small one,
 * of which a test may have hundreds, takes 4,096 addresses below 127.64.0.0.
 * Who holds slot n is decided by a listening socket, which the kernel closes with its process: no stale locks, also
 * between users.
 */
import { createServer, type Server } from "node:net";
import { errnoCode, FairleadError } from "../../lib/errors.ts";

export interface LoopbackNetwork {
  readonly slot: number;
  readonly serviceCIDR: string;
  readonly podCIDR: string;
  /** The built-in DNS server's own address, outside the pods' half. */
  readonly dnsAddress: string;
  /** The forward proxy's. */
  readonly proxyAddress: string;
  /** Addresses of LoadBalancer Services. */
  readonly loadBalancerCIDR: string;
  /** Addresses of Gateways. */
  readonly gatewayCIDR: string;
  /** Who listens here, at a port that is the same for all, holds the slot. */
  readonly guardAddress: string;
  /** By which the host reaches a node that is a namespace; `index` from 1 to 250. */
  nodeAddress(index: number): string;
}

export interface ClaimedNetwork {
  readonly network: LoopbackNetwork;
  release(): Promise<void>;
}

const slots = 79;
/** Numbered behind those. */
const smallSlots = 512;
const guardPort = 10350;

export function loopbackNetwork(slot: number): LoopbackNetwork {
  if (slot >= slots) return smallNetwork(slot);
  const [services, pods] = [96 + 2 * slot, 97 + 2 * slot];
  return {
    slot,
    serviceCIDR: `127.${services}.0.0/16`,
    podCIDR: `127.${pods}.0.0/17`,
    dnsAddress: `127.${pods}.255.53`,
    proxyAddress: `127.${pods}.255.80`,
    loadBalancerCIDR: `127.${pods}.128.0/18`,
    gatewayCIDR: `127.${pods}.192.0/19`,
    guardAddress: `127.${pods}.255.254`,
    nodeAddress: (index) => `127.${pods}.254.${index}`,
  };
}

/** 127.32.0.0 to 127.63.255.255 in blocks of 16 times 256. */
function smallNetwork(slot: number): LoopbackNetwork {
  const index = slot - slots;
  const [second, third] = [32 + Math.floor(index / 16), (index % 16) * 16];
  const part = (offset: number) => `127.${second}.${third + offset}`;
  return {
    slot,
    serviceCIDR: `${part(0)}.0/21`,
    podCIDR: `${part(8)}.0/22`,
    loadBalancerCIDR: `${part(12)}.0/24`,
    gatewayCIDR: `${part(13)}.0/24`,
    dnsAddress: `${part(14)}.53`,
    proxyAddress: `${part(14)}.80`,
    guardAddress: `${part(14)}.254`,
    nodeAddress: (of) => `${part(15)}.${of}`,
  };
}

/**
 * Takes the slot that the cluster had before (its Services keep their addresses), or the first free one.
 * Throws FL_LISTEN when that slot is held by another cluster, or all are.
 */
export async function claimLoopbackNetwork(previous?: number, small = false): Promise<ClaimedNetwork> {
  const candidates = previous === undefined ? freshSlots(small) : [previous];
  for (const slot of candidates) {
    const network = loopbackNetwork(slot);
    const guard = await listen(network.guardAddress);
    if (guard !== undefined) return { network, release: () => new Promise((resolve) => guard.close(() => resolve())) };
  }
  const what =
    previous === undefined
      ? `all ${candidates.length} loopback networks are in use`
      : `this cluster's addresses (${loopbackNetwork(previous).serviceCIDR}) are in use by another cluster`;
  throw new FairleadError("FL_LISTEN", what, {
    hint: "Stop one: 'fairlead status --all' names the running clusters, 'fairlead down --name NAME' stops one.",
  });
}

/** Small ones from a place of the process's own on: test runners start many at once, which would all try the same first. */
function freshSlots(small: boolean): readonly number[] {
  if (!small) return Array.from({ length: slots }, (_, slot) => slot);
  return Array.from({ length: smallSlots }, (_, index) => slots + ((process.pid * 37 + index) % smallSlots));
}

function listen(host: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => (errnoCode(error) === "EADDRINUSE" ? resolve(undefined) : reject(noLoopback(host, error))));
    server.listen({ host, port: guardPort, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

function noLoopback(host: string, cause: unknown): FairleadError {
  return new FairleadError(
    "FL_UNSUPPORTED",
    `loopback mode needs all of 127.0.0.0/8, and ${host} cannot be bound (${errnoCode(cause) ?? String(cause)})`,
    {
      cause,
      hint: "Linux has it from the start; macOS gives 127.0.0.1 only.",
    },
  );
}
