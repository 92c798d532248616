/**
 * What must be done to the kernel, and in which order, so that at no time a client comes to less than before: sets and addresses
 * before the servers that need them, new real servers before old ones leave, and the other way round on the way out. Pure.
 */
import { realKey, serverKey, type RealServer, type VirtualServer } from "./state.ts";
import type { SetName } from "./sets.ts";

/** A virtual server without its real servers. */
export type ServerIdentity = Pick<VirtualServer, "address" | "port" | "protocol">;

export type IpvsOperation =
  | { readonly kind: "addEntry" | "deleteEntry"; readonly set: SetName; readonly entry: string }
  | { readonly kind: "bind" | "unbind"; readonly address: string }
  | { readonly kind: "addServer" | "setServer"; readonly server: VirtualServer }
  | { readonly kind: "deleteServer"; readonly server: ServerIdentity }
  | { readonly kind: "addReal" | "setReal"; readonly server: ServerIdentity; readonly real: RealServer }
  /** Gets no new connections from here on; the backend takes it away when the last one has ended (UDP and SCTP: at once). */
  | { readonly kind: "drainReal"; readonly server: ServerIdentity; readonly real: RealServer };

const order: Readonly<Record<IpvsOperation["kind"], number>> = {
  addEntry: 0,
  bind: 1,
  addServer: 2,
  setServer: 2,
  addReal: 3,
  setReal: 3,
  drainReal: 4,
  deleteServer: 5,
  unbind: 6,
  deleteEntry: 7,
};

export function inOrder(operations: readonly IpvsOperation[]): readonly IpvsOperation[] {
  return operations.toSorted((a, b) => order[a.kind] - order[b.kind]);
}

/** Leads one virtual server from what it is to what it is to be. A real server of weight 0 in `have` is one that drains. */
export function serverOperations(have: VirtualServer | undefined, want: VirtualServer | undefined): readonly IpvsOperation[] {
  if (want === undefined) return have === undefined ? [] : [{ kind: "deleteServer", server: identity(have) }];
  const server = identity(want);
  const before = new Map((have?.realServers ?? []).map((real) => [realKey(real), real]));
  const after = new Set(want.realServers.map(realKey));
  return [
    ...(have === undefined
      ? [{ kind: "addServer", server: want } as const]
      : sameServer(have, want)
        ? []
        : [{ kind: "setServer", server: want } as const]),
    ...want.realServers.flatMap((real): readonly IpvsOperation[] => {
      const old = before.get(realKey(real));
      if (old === undefined) return [{ kind: "addReal", server, real }];
      return old.weight === real.weight ? [] : [{ kind: "setReal", server, real }];
    }),
    ...[...before].flatMap(([key, real]): readonly IpvsOperation[] =>
      after.has(key) || real.weight === 0 ? [] : [{ kind: "drainReal", server, real }],
    ),
  ];
}

function identity({ address, port, protocol }: ServerIdentity): ServerIdentity {
  return { address, port, protocol };
}

function sameServer(a: VirtualServer, b: VirtualServer): boolean {
  return a.scheduler === b.scheduler && a.persistenceSeconds === b.persistenceSeconds && (a.hashPort ?? false) === (b.hashPort ?? false);
}

/** The same for sets of texts (addresses, entries): what is new and what is gone. */
export function setDifference(have: Iterable<string>, want: Iterable<string>): { readonly added: string[]; readonly gone: string[] } {
  const [before, after] = [new Set(have), new Set(want)];
  return { added: [...after].filter((one) => !before.has(one)), gone: [...before].filter((one) => !after.has(one)) };
}

/** An operation as one line, for logs and for errors. */
export function operationText(operation: IpvsOperation): string {
  switch (operation.kind) {
    case "addEntry":
    case "deleteEntry":
      return `${operation.kind} ${operation.set} ${operation.entry}`;
    case "bind":
    case "unbind":
      return `${operation.kind} ${operation.address}`;
    case "addServer":
    case "setServer":
    case "deleteServer":
      return `${operation.kind} ${serverKey(operation.server)}`;
    case "addReal":
    case "setReal":
    case "drainReal":
      return `${operation.kind} ${serverKey(operation.server)} ${realKey(operation.real)}`;
    default:
      return operation satisfies never;
  }
}
