/** The kernel's table of tracked flows of one network namespace, through ctnetlink. `fakeConntrack` is the same in memory. */
import { protocolNumbers } from "../../lib/nftables/ruleset.ts";
import { errnoCode } from "../../lib/errors.ts";
import { readAttributes, type NetlinkMessage } from "../netlink/reader.ts";
import { commit, dump, netlinkError, type NetlinkSocket } from "../netlink/socket.ts";
import { NLM_F_ACK, NLM_F_DUMP, NetlinkWriter } from "../netlink/writer.ts";
import { AF_INET, AF_INET6 } from "../syscalls/constants.ts";
import * as c from "./constants.ts";
import { readTuple, writeTuple, type Endpoint, type Tuple } from "./tuple.ts";

export interface Flow {
  /** As the client sent it. */
  readonly original: Tuple;
  /** As the answer is expected: its source is the endpoint that NAT chose. */
  readonly reply: Tuple;
}

export type FlowProtocol = "tcp" | "udp" | "sctp";

export interface Conntrack {
  /** All flows of the protocol. The kernel walks its whole table. */
  list(protocol: FlowProtocol): readonly Flow[];
  /** The flows' next packets go through the rules again. One that is gone already is no error. */
  remove(flows: readonly Flow[]): void;
  /** The flow whose answers go from `from` to `to`; undefined: there is none. */
  byReply(protocol: FlowProtocol, from: Endpoint, to: Endpoint): Flow | undefined;
  close(): void;
}

/** `socket`: of NETLINK_NETFILTER; decides the namespace. Owned from here on. */
export function openConntrack(socket: NetlinkSocket): Conntrack {
  const writer = new NetlinkWriter();
  return {
    list: (protocol) => listFlows(socket, writer, protocolNumbers[protocol] as number),
    remove: (flows) => removeFlows(socket, writer, flows),
    byReply(protocol, source, destination) {
      const tuple = { protocol: protocolNumbers[protocol] as number, source, destination };
      return flowByReply(socket, writer, tuple);
    },
    close: () => socket.close(),
  };
}

/**
 * Where a datagram wanted to go that DNAT has led to the socket bound at `local`. A client that asks two destinations from one port
 * is seen with two ports: the kernel keeps the tuples of the answers apart.
 */
export function originalDestination(
  conntrack: Conntrack,
  { client, local }: { readonly client: Endpoint; readonly local: Endpoint },
): Endpoint | undefined {
  return conntrack.byReply("udp", local, client)?.original.destination;
}

function begin(writer: NetlinkWriter, type: number, flags: number, family: number, label: string): NetlinkWriter {
  return writer
    .message((c.NFNL_SUBSYS_CTNETLINK << 8) | type, flags, label)
    .u8(family)
    .u8(0)
    .u16be(0);
}

const AF_UNSPEC = 0;
const ENOENT = 2;
const familyOf = ({ source }: Tuple) => (source.ip.includes(":") ? AF_INET6 : AF_INET);

function listFlows(socket: NetlinkSocket, writer: NetlinkWriter, protocol: number): Flow[] {
  const list = (filter: boolean) =>
    dump(socket, writer, (w) => {
      begin(w, c.IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC, "list flows");
      if (filter) writeProtocolFilter(w, protocol);
    });
  let messages: NetlinkMessage[];
  try {
    messages = list(true);
  } catch (error) {
    // Kernels before 5.8 know no filter.
    if (!["EOPNOTSUPP", "EINVAL", "ENOTSUP"].includes(errnoCode(error) ?? "")) throw error;
    messages = list(false);
  }
  return messages.flatMap((message) => readFlow(message) ?? []).filter(({ original }) => original.protocol === protocol);
}

function writeProtocolFilter(writer: NetlinkWriter, protocol: number): void {
  writer.nest(c.CTA_TUPLE_ORIG, (tuple) => tuple.nest(c.CTA_TUPLE_PROTO, (proto) => proto.attributeU8(c.CTA_PROTO_NUM, protocol)));
  writer.nest(c.CTA_FILTER, (filter) =>
    filter.attributeU32(c.CTA_FILTER_ORIG_FLAGS, c.CTA_FILTER_F_PROTO_NUM).attributeU32(c.CTA_FILTER_REPLY_FLAGS, 0),
  );
}

function readFlow({ payload }: NetlinkMessage): Flow | undefined {
  if (payload.length < 4) return undefined;
  const parts = readAttributes(payload.subarray(4));
  const [original, reply] = [parts.get(c.CTA_TUPLE_ORIG), parts.get(c.CTA_TUPLE_REPLY)].map((bytes) => bytes && readTuple(bytes));
  return original === undefined || reply === undefined ? undefined : { original, reply };
}

/** A batch stays far below what an ordinary user's socket takes. */
const removalsAtOnce = 500;

function removeFlows(socket: NetlinkSocket, writer: NetlinkWriter, flows: readonly Flow[]): void {
  for (let from = 0; from < flows.length; from += removalsAtOnce) {
    writer.reset();
    for (const { original } of flows.slice(from, from + removalsAtOnce)) {
      begin(writer, c.IPCTNL_MSG_CT_DELETE, NLM_F_ACK, familyOf(original), `delete flow ${JSON.stringify(original)}`);
      writeTuple(writer, c.CTA_TUPLE_ORIG, original);
    }
    const failure = socket.exchange(writer.finish()).failures.find(({ errno }) => errno !== ENOENT);
    if (failure !== undefined) throw netlinkError(failure, writer);
  }
}

function flowByReply(socket: NetlinkSocket, writer: NetlinkWriter, reply: Tuple): Flow | undefined {
  begin(writer.reset(), c.IPCTNL_MSG_CT_GET, NLM_F_ACK, familyOf(reply), "get flow");
  writeTuple(writer, c.CTA_TUPLE_REPLY, reply);
  try {
    const [message] = commit(socket, writer).messages;
    return message === undefined ? undefined : readFlow(message);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
