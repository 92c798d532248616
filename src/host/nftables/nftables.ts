/** The kernel's nf_tables of one network namespace, by transactions. `fake.ts` is the same in memory. */
import type { Operation, Table } from "../../lib/nftables/ruleset.ts";
import { commit, netlinkError, type NetlinkSocket } from "../netlink/socket.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import { ENOBUFS } from "../syscalls/constants.ts";
import { SystemError } from "../syscalls/system-error.ts";
import { beginBatch, endBatch, writeGetTable, writeOperation } from "./messages.ts";

export interface Nftables {
  /**
   * All of the operations or none. Throws an error with `code` (`ENOENT`, `EEXIST`, `EBUSY`, …) whose message names the first
   * operation that the kernel refused. Returns when they are in force. Takes the thread for about 4 µs an element.
   */
  commit(operations: readonly Operation[]): void;
  /** Whether there is such a table. */
  has(table: Table): boolean;
  /** Closes the socket. The rules stay. */
  close(): void;
}

/** `socket`: of NETLINK_NETFILTER; decides the namespace. Owned from here on. */
export function openNftables(socket: NetlinkSocket): Nftables {
  const writer = new NetlinkWriter({ initialBytes: 64 << 10 });
  return {
    commit(operations) {
      if (operations.length === 0) return;
      beginBatch(writer.reset());
      for (const operation of operations) writeOperation(writer, operation);
      endBatch(writer);
      const { acknowledged } = commit(socket, writer);
      if (acknowledged.length === 0) throw new SystemError("netlink", ENOBUFS, "nftables transaction: no answer");
    },
    has: (table) => hasTable(socket, writer, table),
    close: () => socket.close(),
  };
}

const ENOENT = 2;

function hasTable(socket: NetlinkSocket, writer: NetlinkWriter, table: Table): boolean {
  writeGetTable(writer.reset(), table);
  const [failure] = socket.exchange(writer.finish()).failures;
  if (failure !== undefined && failure.errno !== ENOENT) throw netlinkError(failure, writer);
  return failure === undefined;
}
