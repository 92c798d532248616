/** The kernel's nf_tables of one network namespace, by transactions. `fake.ts` is the same in memory. */
import type { Operation } from "../../lib/nftables/ruleset.ts";
import { commit, type NetlinkSocket } from "../netlink/socket.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import { ENOBUFS } from "../syscalls/constants.ts";
import { SystemError } from "../syscalls/system-error.ts";
import { beginBatch, endBatch, writeOperation } from "./messages.ts";

export interface Nftables {
  /**
   * All of the operations or none. Throws an error with `code` (`ENOENT`, `EEXIST`, `EBUSY`, …) whose message names the first
   * operation that the kernel refused. Returns when they are in force. Takes the thread for about 4 µs an element.
   */
  commit(operations: readonly Operation[]): void;
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
    close: () => socket.close(),
  };
}
