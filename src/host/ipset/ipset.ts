/** The kernel's ipsets of one network namespace, by nfnetlink. `fakeIpset` is the same in memory. Entries are as ipset(8) writes them. */
import { readAttributes, readU8, type NetlinkAck } from "../netlink/reader.ts";
import { commit, dump, netlinkError, type NetlinkSocket } from "../netlink/socket.ts";
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NetlinkWriter } from "../netlink/writer.ts";
import { AF_INET, AF_INET6 } from "../syscalls/constants.ts";
import { errnoCode } from "../../lib/errors.ts";
import * as c from "./constants.ts";
import { readEntries, writeEntry, type SetType } from "./entries.ts";

export interface IpsetDefinition {
  /** At most 31 characters. */
  readonly name: string;
  readonly type: SetType;
  /** Of the addresses in it; for a set of ports it does not count. */
  readonly family: 4 | 6;
  readonly maxEntries: number;
}

export type IpsetCommand = { readonly kind: "add" | "delete"; readonly set: IpsetDefinition; readonly entry: string };

export interface Ipset {
  /** Makes the set. One of that name and type may be there: it stays as it is. Throws where it is of another type. */
  create(set: IpsetDefinition): void;
  /** Undefined: there is no such set. */
  list(set: IpsetDefinition): readonly string[] | undefined;
  /** In order. One that is refused is in the answer, by its place. What is there or gone already is no error. */
  run(commands: readonly IpsetCommand[]): ReadonlyMap<number, Error>;
  /** One that rules ask is refused (EBUSY); one that is not there is no error. */
  destroy(name: string): void;
  close(): void;
}

const ENOENT = 2;
const atOnce = 128;

/** `socket`: of NETLINK_NETFILTER; decides the namespace, and is owned from here on. Throws where the kernel has no ipsets. */
export function openIpset(socket: NetlinkSocket): Ipset {
  const writer = new NetlinkWriter();
  const revisions = new Map<string, number>();
  const begin = (command: number, flags: number, label: string, family = AF_INET) => {
    writer
      .message((c.NFNL_SUBSYS_IPSET << 8) | command, flags, label)
      .u8(family)
      .u8(0)
      .u16be(0);
    return writer.attributeU8(c.IPSET_ATTR_PROTOCOL, c.IPSET_PROTOCOL);
  };
  /** The newest that this kernel has; asking loads the type's module. */
  const revisionOf = ({ type, family }: IpsetDefinition): number => {
    const key = `${type} ${family}`;
    const known = revisions.get(key);
    if (known !== undefined) return known;
    writer.reset();
    begin(c.IPSET_CMD_TYPE, NLM_F_ACK, `find set type ${type}`).attributeString(c.IPSET_ATTR_TYPENAME, type);
    writer.attributeU8(c.IPSET_ATTR_FAMILY, setFamily(type, family));
    const [message] = commit(socket, writer).messages;
    const value = message === undefined ? undefined : readAttributes(message.payload.subarray(4)).get(c.IPSET_ATTR_REVISION);
    const revision = value === undefined ? 0 : readU8(value);
    revisions.set(key, revision);
    return revision;
  };
  return {
    create(set) {
      const revision = revisionOf(set);
      writer.reset();
      begin(c.IPSET_CMD_CREATE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, `create set ${set.name}`);
      writer.attributeString(c.IPSET_ATTR_SETNAME, set.name).attributeString(c.IPSET_ATTR_TYPENAME, set.type);
      writer.attributeU8(c.IPSET_ATTR_REVISION, revision).attributeU8(c.IPSET_ATTR_FAMILY, setFamily(set.type, set.family));
      writer.nest(c.IPSET_ATTR_DATA, (inner) => writeCreation(inner, set));
      const [failure] = socket.exchange(writer.finish()).failures;
      if (failure !== undefined && !isThere(failure)) throw netlinkError(failure, writer);
      writer.reset();
    },
    list(set) {
      try {
        const messages = dump(
          socket,
          writer,
          () =>
            void begin(c.IPSET_CMD_LIST, NLM_F_DUMP | NLM_F_ACK, `list set ${set.name}`).attributeString(c.IPSET_ATTR_SETNAME, set.name),
        );
        return messages.flatMap(({ payload }) => readEntries(payload.subarray(4), set.type));
      } catch (error) {
        if (errnoCode(error) === "ENOENT") return undefined;
        throw error;
      }
    },
    run(commands) {
      const failed = new Map<number, Error>();
      for (let from = 0; from < commands.length; from += atOnce) {
        writer.reset();
        const first = writer.sequence + 1;
        for (const { kind, set, entry } of commands.slice(from, from + atOnce)) {
          // Without NLM_F_EXCL what is there already, or gone, is no error.
          begin(kind === "add" ? c.IPSET_CMD_ADD : c.IPSET_CMD_DEL, NLM_F_ACK, `${kind} ${entry} in set ${set.name}`);
          writer.attributeString(c.IPSET_ATTR_SETNAME, set.name);
          writer.nest(c.IPSET_ATTR_DATA, (inner) => writeEntry(inner, set.type, entry));
        }
        for (const ack of socket.exchange(writer.finish()).failures) failed.set(from + ack.sequence - first, netlinkError(ack, writer));
        writer.reset();
      }
      return failed;
    },
    destroy(name) {
      writer.reset();
      begin(c.IPSET_CMD_DESTROY, NLM_F_ACK, `destroy set ${name}`).attributeString(c.IPSET_ATTR_SETNAME, name);
      const [failure] = socket.exchange(writer.finish()).failures;
      if (failure !== undefined && failure.errno !== ENOENT) throw netlinkError(failure, writer);
      writer.reset();
    },
    close: () => socket.close(),
  };
}

const isThere = ({ errno }: NetlinkAck) => errno === 17;

/** A set of ports has no family (`NFPROTO_UNSPEC`). */
function setFamily(type: SetType, family: 4 | 6): number {
  if (type === "bitmap:port") return 0;
  return family === 4 ? AF_INET : AF_INET6;
}

function writeCreation(writer: NetlinkWriter, { type, maxEntries }: IpsetDefinition): void {
  const be = c.NLA_F_NET_BYTEORDER;
  if (type === "bitmap:port") writer.attributeU16be(c.IPSET_ATTR_PORT | be, 0).attributeU16be(c.IPSET_ATTR_PORT_TO | be, 65_535);
  else writer.attributeU32be(c.IPSET_ATTR_HASHSIZE | be, 1024).attributeU32be(c.IPSET_ATTR_MAXELEM | be, maxEntries);
}
