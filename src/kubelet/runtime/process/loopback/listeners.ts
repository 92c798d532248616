/** Which pod's process holds a listening socket. */
import type { PodRef } from "../../../../api/node-agent.ts";
import type { PortListener } from "../../runtime.ts";
import { listeningSockets, processIds, readSession, socketInodes, type ListeningSocket } from "./proc-tables.ts";

export interface ContainerSession {
  /** The container's first process, which leads its session. */
  readonly session: number;
  readonly pod: PodRef;
}

const everywhere = new Set(["0.0.0.0", "::"]);

/** With `ip`: a socket bound to just that address wins, as in the kernel, and needs no search for its holder. */
export async function listenersOn(
  port: number,
  ip: string | undefined,
  sessions: readonly ContainerSession[],
): Promise<readonly PortListener[]> {
  const sockets = (await listeningSockets()).filter((socket) => socket.port === port);
  const exact = ip === undefined ? [] : sockets.filter(({ address }) => address === ip || address === `::ffff:${ip}`);
  if (exact.length > 0) return exact.map(({ address }) => ({ address, port, pod: undefined, self: false }));
  const reachable = ip === undefined ? sockets : sockets.filter(({ address }) => everywhere.has(address));
  if (reachable.length === 0) return [];
  const holders = await holdersOf(reachable, sessions);
  const own = await socketInodes(process.pid);
  return reachable.map(({ address, inode }) => ({ address, port, pod: holders.get(inode), self: own.has(inode) }));
}

async function holdersOf(sockets: readonly ListeningSocket[], sessions: readonly ContainerSession[]): Promise<ReadonlyMap<string, PodRef>> {
  const wanted = new Set(sockets.map(({ inode }) => inode));
  const podOf = new Map(sessions.map(({ session, pod }) => [session, pod]));
  const holders = new Map<string, PodRef>();
  for (const pid of await processIds()) {
    const session = await readSession(pid);
    const pod = session === undefined ? undefined : podOf.get(session);
    if (pod === undefined) continue;
    for (const inode of await socketInodes(pid)) if (wanted.has(inode)) holders.set(inode, pod);
    if (holders.size === wanted.size) break;
  }
  return holders;
}
