/** The kernel's nf_tables of one network namespace, by transactions. `fake.ts` is the same in memory. */
import type { TableListing } from "../../lib/nftables/listing.ts";
import type { Operation, Table } from "../../lib/nftables/ruleset.ts";
import { readAttributes, readU32be } from "../netlink/reader.ts";
import { commit, netlinkError, type NetlinkSocket } from "../netlink/socket.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import { ENOBUFS } from "../syscalls/constants.ts";
import { SystemError } from "../syscalls/system-error.ts";
import * as c from "./constants.ts";
import { beginBatch, endBatch, writeGetGeneration, writeGetTable, writeOperation } from "./messages.ts";
import { readTable } from "./read.ts";

export interface Nftables {
  /**
   * All of the operations or none. Throws an error with `code` (`ENOENT`, `EEXIST`, `EBUSY`, …) whose message names the first
   * operation that the kernel refused. Returns when they are in force. Takes the thread for about 4 µs an element.
   */
  commit(operations: readonly Operation[]): void;
  /** Whether there is such a table. */
  has(table: Table): boolean;
  /** Grows by one with each transaction of anybody in this network namespace. */
  generation(): number;
  /**
   * What the table holds, elements of dynamic sets left out; undefined: there is none. Reads in parts of some thousand elements and
   * awaits `pause` after each. Rejects with EINTR where the table is changed meanwhile.
   */
  read(table: Table, pause: () => Promise<void>): Promise<TableListing | undefined>;
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
    generation: () => generationOf(socket, writer),
    read: async (table, pause) =>
      hasTable(socket, writer, table) ? await readTable(socket, new NetlinkWriter(), table, pause) : undefined,
    close: () => socket.close(),
  };
}

const ENOENT = 2;

function generationOf(socket: NetlinkSocket, writer: NetlinkWriter): number {
  writeGetGeneration(writer.reset());
  const [message] = socket.exchange(writer.finish()).messages;
  const id = message === undefined ? undefined : readAttributes(message.payload.subarray(4)).get(c.NFTA_GEN_ID);
  return id === undefined ? 0 : readU32be(id);
}

function hasTable(socket: NetlinkSocket, writer: NetlinkWriter, table: Table): boolean {
  writeGetTable(writer.reset(), table);
  const [failure] = socket.exchange(writer.finish()).failures;
  if (failure !== undefined && failure.errno !== ENOENT) throw netlinkError(failure, writer);
  return failure === undefined;
}
