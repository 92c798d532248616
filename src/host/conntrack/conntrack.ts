/** The kernel's table of tracked flows of one network namespace, through ctnetlink. `fakeConntrack` is the same in memory. */
import { protocolNumbers } from "../../lib/nftables/ruleset.ts";
import { errnoCode } from "../../lib/errors.ts";
import { readAttributes, readU32be, type NetlinkMessage } from "../netlink/reader.ts";
import { commit, dump, netlinkError, type NetlinkSocket } from "../netlink/socket.ts";
import { NLM_F_ACK, NLM_F_DUMP, NetlinkWriter } from "../netlink/writer.ts";
import { AF_INET, AF_INET6 } from "../syscalls/constants.ts";
import * as c from "./constants.ts";
import { writeMatch, writeProtocol } from "./filter.ts";
import { readTuple, writeTuple, type Endpoint, type Tuple } from "./tuple.ts";

export interface Flow {
  /** As the client sent it. */
  readonly original: Tuple;
  /** As the answer is expected: its source is the endpoint that NAT chose. */
  readonly reply: Tuple;
  /** Whether an answer has been seen. */
  readonly replied?: boolean;
}

export type FlowProtocol = "tcp" | "udp" | "sctp";

/** Flows that were sent to `destination` and are answered by `source`; absent: by whomever. */
export interface FlowMatch {
  readonly destination: Endpoint;
  readonly source?: Endpoint;
  /** Only those that nobody has answered yet. */
  readonly unanswered?: boolean;
}

export interface Conntrack {
  /** Flows in this namespace, of all protocols. Costs nothing. */
  count(): number;
  /**
   * All flows of the protocol. The kernel walks its table, which all namespaces share: 25 ms of this thread where it has 262,144
   * buckets, and 10 µs a flow.
   */
  list(protocol: FlowProtocol): readonly Flow[];
  /** The flows' next packets go through the rules again. One that is gone already is no error. */
  remove(flows: readonly Flow[]): void;
  /** The same for all that match. IPv4: found by the kernel, 1 ms each where the table is not full. IPv6: costs a list. */
  removeMatching(protocol: FlowProtocol, matches: readonly FlowMatch[]): void;
  /** The flow whose answers go from `from` to `to`; undefined: there is none. */
  byReply(protocol: FlowProtocol, from: Endpoint, to: Endpoint): Flow | undefined;
  close(): void;
}

/** Beyond these one list is cheaper than a walk for each. */
const maxMatches = 16;
/** A batch stays far below what an ordinary user's socket takes. */
const removalsAtOnce = 500;
const ENOENT = 2;

/** `socket`: of NETLINK_NETFILTER; decides the namespace. Owned from here on. */
export function openConntrack(socket: NetlinkSocket): Conntrack {
  const writer = new NetlinkWriter();
  const conntrack: Conntrack = {
    count: () => countFlows(socket, writer),
    list: (protocol) => [AF_INET, AF_INET6].flatMap((family) => listFlows(socket, writer, family, numberOf(protocol))),
    remove: (flows) => removeFlows(socket, writer, flows),
    removeMatching(protocol, matches) {
      for (const family of [AF_INET, AF_INET6]) {
        const those = matches.filter(({ destination }) => familyOf(destination) === family);
        if (those.length === 0) continue;
        if (family === AF_INET && those.length <= maxMatches && removeInKernel(socket, writer, numberOf(protocol), those)) continue;
        const flows = listFlows(socket, writer, family, numberOf(protocol));
        conntrack.remove(flows.filter((flow) => those.some((match) => isMatch(flow, match))));
      }
    },
    byReply: (protocol, source, destination) => flowByReply(socket, writer, { protocol: numberOf(protocol), source, destination }),
    close: () => socket.close(),
  };
  return conntrack;
}

export function isMatch({ original, reply, replied = false }: Flow, { destination, source, unanswered = false }: FlowMatch): boolean {
  return same(original.destination, destination) && (source === undefined || same(reply.source, source)) && !(unanswered && replied);
}

const same = (a: Endpoint, b: Endpoint) => a.ip === b.ip && a.port === b.port;
const numberOf = (protocol: FlowProtocol) => protocolNumbers[protocol] as number;

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

const familyOf = ({ ip }: Endpoint) => (ip.includes(":") ? AF_INET6 : AF_INET);

function countFlows(socket: NetlinkSocket, writer: NetlinkWriter): number {
  begin(writer.reset(), c.IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, 0, "count flows");
  const [message] = commit(socket, writer).messages;
  const entries = message === undefined ? undefined : readAttributes(message.payload.subarray(4)).get(c.CTA_STATS_GLOBAL_ENTRIES);
  return entries === undefined ? 0 : readU32be(entries);
}

/** The kernel filters by protocol only within a family. */
function listFlows(socket: NetlinkSocket, writer: NetlinkWriter, family: number, protocol: number): Flow[] {
  const list = (filter: boolean) =>
    dump(socket, writer, (w) => {
      begin(w, c.IPCTNL_MSG_CT_GET, NLM_F_DUMP, family, "list flows");
      if (filter) writeProtocol(w, protocol);
    });
  let messages: NetlinkMessage[];
  try {
    messages = list(true);
  } catch (error) {
    // Kernels before 5.8 know no filter.
    if (!notSupported(errnoCode(error))) throw error;
    messages = list(false);
  }
  return messages.flatMap((message) => readFlow(message) ?? []).filter(({ original }) => original.protocol === protocol);
}

function notSupported(code: string | undefined): boolean {
  return code === "EOPNOTSUPP" || code === "ENOTSUP" || code === "EINVAL";
}

function readFlow({ payload }: NetlinkMessage): Flow | undefined {
  if (payload.length < 4) return undefined;
  const parts = readAttributes(payload.subarray(4));
  const [original, reply] = [parts.get(c.CTA_TUPLE_ORIG), parts.get(c.CTA_TUPLE_REPLY)].map((bytes) => bytes && readTuple(bytes));
  if (original === undefined || reply === undefined) return undefined;
  const status = parts.get(c.CTA_STATUS);
  return { original, reply, replied: status !== undefined && (readU32be(status) & c.IPS_SEEN_REPLY) !== 0 };
}

function removeFlows(socket: NetlinkSocket, writer: NetlinkWriter, flows: readonly Flow[]): void {
  for (let from = 0; from < flows.length; from += removalsAtOnce) {
    writer.reset();
    for (const { original } of flows.slice(from, from + removalsAtOnce)) {
      begin(writer, c.IPCTNL_MSG_CT_DELETE, NLM_F_ACK, familyOf(original.source), `delete flow ${JSON.stringify(original)}`);
      writeTuple(writer, c.CTA_TUPLE_ORIG, original);
    }
    const failure = socket.exchange(writer.finish()).failures.find(({ errno }) => errno !== ENOENT);
    if (failure !== undefined) throw netlinkError(failure, writer);
  }
}

/**
 * IPv4 only: Linux 6.18 compares IPv6 addresses of a filter the wrong way round, and would delete everybody else's flows. False:
 * kernels before 6.8 cannot delete by filter, and say so.
 */
function removeInKernel(socket: NetlinkSocket, writer: NetlinkWriter, protocol: number, matches: readonly FlowMatch[]): boolean {
  writer.reset();
  for (const match of matches) {
    begin(writer, c.IPCTNL_MSG_CT_DELETE, NLM_F_ACK, familyOf(match.destination), `delete flows ${JSON.stringify(match)}`);
    writeMatch(writer, protocol, match);
  }
  const failure = socket.exchange(writer.finish()).failures.find(({ errno }) => errno !== ENOENT);
  if (failure === undefined) return true;
  const error = netlinkError(failure, writer);
  if (notSupported(error.code)) return false;
  throw error;
}

function flowByReply(socket: NetlinkSocket, writer: NetlinkWriter, reply: Tuple): Flow | undefined {
  begin(writer.reset(), c.IPCTNL_MSG_CT_GET, NLM_F_ACK, familyOf(reply.source), "get flow");
  writeTuple(writer, c.CTA_TUPLE_REPLY, reply);
  try {
    const [message] = commit(socket, writer).messages;
    return message === undefined ? undefined : readFlow(message);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
