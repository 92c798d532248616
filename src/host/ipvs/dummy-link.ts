/**
 * The dummy link of ipvs mode, `kube-ipvs0`: the kernel takes packets for a virtual server only where its address is one of the
 * machine's own (upstream pkg/proxy/ipvs/netlink_linux.go). Nothing is ever sent over it.
 */
import { eachAttribute, readAttributes, readString, readU32 } from "../netlink/reader.ts";
import {
  addAddress,
  deleteAddress,
  IFLA_IFNAME,
  requestLinks,
  RTM_DELLINK,
  RTM_GETADDR,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "../netlink/route.ts";
import { commit, dump, type NetlinkSocket } from "../netlink/socket.ts";
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NetlinkWriter } from "../netlink/writer.ts";
import { ipFromBytes } from "../syscalls/ip-bytes.ts";

const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFF_UP = 1;
const linkHeaderBytes = 16;
const addressHeaderBytes = 8;

export interface DummyLink {
  /** Makes the link where it is not there. */
  ensure(): void;
  /** Those that it has, link-local ones left out; undefined: there is no such link. */
  addresses(): readonly string[] | undefined;
  /** In one batch. An address that is there already, or gone, is no error. */
  change(add: readonly string[], remove: readonly string[]): void;
  /** With all its addresses. */
  remove(): void;
  close(): void;
}

/** `socket`: of NETLINK_ROUTE; decides the namespace, and is owned from here on. */
export function openDummyLink(socket: NetlinkSocket, name: string): DummyLink {
  const writer = new NetlinkWriter();
  const find = (): number | undefined => {
    for (const { payload } of dump(socket, writer, requestLinks)) {
      const label = readAttributes(payload.subarray(linkHeaderBytes)).get(IFLA_IFNAME);
      if (label !== undefined && readString(label) === name) return readU32(payload.subarray(4));
    }
    return undefined;
  };
  let index: number | undefined;
  const known = (): number => {
    index ??= find();
    if (index === undefined) throw new Error(`there is no link ${name}`);
    return index;
  };
  return {
    ensure() {
      index = find();
      if (index !== undefined) return;
      writer.reset().message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, `add link ${name}`);
      // Up: IPv6 takes no address of a link that is down.
      writer.u8(0).u8(0).u16(0).u32(0).u32(IFF_UP).u32(IFF_UP);
      writer.attributeString(IFLA_IFNAME, name);
      writer.nest(IFLA_LINKINFO, (inner) => void inner.attributeString(IFLA_INFO_KIND, "dummy"));
      commit(socket, writer);
      index = find();
    },
    addresses() {
      index = find();
      return index === undefined ? undefined : listAddresses(socket, writer, index);
    },
    change(add, remove) {
      if (add.length + remove.length === 0) return;
      const link = known();
      writer.reset();
      for (const address of add) addAddress(writer, { address, index: link });
      for (const address of remove) deleteAddress(writer, { address, index: link });
      writer.addFlags(NLM_F_ACK);
      const failure = socket.exchange(writer.finish()).failures.find(({ errno }) => errno !== EADDRNOTAVAIL);
      const what = failure === undefined ? undefined : (writer.label(failure.sequence) ?? name);
      writer.reset();
      if (failure !== undefined) throw new Error(`${what}: errno ${failure.errno}`);
    },
    remove() {
      const link = find();
      index = undefined;
      if (link === undefined) return;
      writer.reset().message(RTM_DELLINK, NLM_F_ACK, `delete link ${name}`);
      writer.u8(0).u8(0).u16(0).u32(link).u32(0).u32(0);
      commit(socket, writer);
    },
    close: () => socket.close(),
  };
}

const EADDRNOTAVAIL = 99;

function listAddresses(socket: NetlinkSocket, writer: NetlinkWriter, index: number): string[] {
  const messages = dump(socket, writer, (w) => {
    w.message(RTM_GETADDR, NLM_F_DUMP, "list addresses").u8(0).u8(0).u8(0).u8(0).u32(0);
  });
  return messages.flatMap(({ type, payload }) => {
    if (type !== RTM_NEWADDR || payload.length < addressHeaderBytes || readU32(payload.subarray(4)) !== index) return [];
    let found: Uint8Array | undefined;
    eachAttribute(payload.subarray(addressHeaderBytes), (kind, value) => {
      if (kind === IFA_LOCAL || (kind === IFA_ADDRESS && found === undefined)) found = value;
    });
    const text = found === undefined ? "" : ipFromBytes(found);
    return text === "" || text.startsWith("fe80:") ? [] : [text];
  });
}

/** As long as the program lives. */
export function fakeDummyLink(): DummyLink & { readonly bound: ReadonlySet<string> } {
  const bound = new Set<string>();
  let there = false;
  return {
    bound,
    ensure: () => void (there = true),
    addresses: () => (there ? [...bound] : undefined),
    change(add, remove) {
      if (!there) throw new Error("there is no link");
      for (const address of add) bound.add(address);
      for (const address of remove) bound.delete(address);
    },
    remove() {
      there = false;
      bound.clear();
    },
    close: () => undefined,
  };
}
