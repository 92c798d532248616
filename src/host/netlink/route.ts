/**
 * rtnetlink: the messages that make, configure and take away links, addresses, routes and neighbours. Each function adds
 * one message to the writer, with a label that names it in an error; `commit` of `socket.ts` sends them.
 *
 * Layout: include/uapi/linux/{rtnetlink,if_link,if_addr,neighbour,veth}.h.
 */
import { parseCidr } from "../../lib/ip.ts";
import { AF_INET, AF_INET6 } from "../syscalls/constants.ts";
import { bytesOf, bytesOfIp } from "../syscalls/ip-bytes.ts";
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, type NetlinkWriter } from "./writer.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_GETNEIGH = 30;

const RTM_NEWQDISC = 36;
const TC_H_ROOT = 0xffff_ffff;
const TCA_KIND = 1;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_GROUP = 27;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFF_UP = 1;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_HOST = 254;
const RTN_UNICAST = 1;
const RTN_UNREACHABLE = 7;
const RTNH_F_ONLINK = 4;

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

/** The index of the loopback link, in every namespace. */
export const loopbackIndex = 1;

export interface LinkEnd {
  readonly name: string;
  /** Chosen by us, so that messages after this one can name the link in the same batch. */
  readonly index: number;
  /** Six bytes. */
  readonly mac: Uint8Array;
}

/** This end up; the other one must be set up in its namespace (the kernel opens it before the two are joined: ENOTCONN). */
export function addVeth(
  writer: NetlinkWriter,
  link: LinkEnd & { readonly mtu: number; readonly group?: number; readonly peer: LinkEnd & { readonly namespace: number } },
): void {
  const { peer, mtu } = link;
  interfaceHeader(writer.message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, `add link ${link.name}`), link.index, IFF_UP, IFF_UP);
  linkAttributes(writer, link, mtu);
  if (link.group !== undefined) writer.attributeU32(IFLA_GROUP, link.group);
  const info = writer.beginNest(IFLA_LINKINFO);
  writer.attributeString(IFLA_INFO_KIND, "veth");
  const data = writer.beginNest(IFLA_INFO_DATA);
  const inner = writer.beginNest(VETH_INFO_PEER);
  interfaceHeader(writer, peer.index, 0, 0);
  linkAttributes(writer, peer, mtu);
  writer.attributeU32(IFLA_NET_NS_FD, peer.namespace).endNest(inner).endNest(data).endNest(info);
}

function linkAttributes(writer: NetlinkWriter, end: LinkEnd, mtu: number): void {
  writer.attributeString(IFLA_IFNAME, end.name).attributeBytes(IFLA_ADDRESS, end.mac).attributeU32(IFLA_MTU, mtu);
}

export function setLinkUp(writer: NetlinkWriter, index: number): void {
  interfaceHeader(writer.message(RTM_NEWLINK, 0, `set link ${index} up`), index, IFF_UP, IFF_UP);
}

/**
 * No IPv6 address comes of itself: a link-local one would cost a second of duplicate address detection, and nobody here uses
 * it. Before `setLinkUp`.
 */
export function withoutOwnAddress(writer: NetlinkWriter, index: number): void {
  interfaceHeader(writer.message(RTM_NEWLINK, 0, `set link ${index} without link-local address`), index, 0, 0);
  const families = writer.beginNest(IFLA_AF_SPEC);
  const inet6 = writer.beginNest(AF_INET6);
  writer.attributeU8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE).endNest(inet6).endNest(families);
}

/**
 * For the end of a pair that was up first. It can send only once the kernel has noticed in the background that the other end is
 * there; until then, which on a busy machine is many milliseconds, it drops what it is given, and a client waits a second
 * to try again. To set its (default) queue anew makes the kernel look at once.
 */
export function activateLink(writer: NetlinkWriter, index: number): void {
  writer.message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, `activate link ${index}`);
  writer.u8(0).u8(0).u16(0).u32(index).u32(0).u32(TC_H_ROOT).u32(0).attributeString(TCA_KIND, "noqueue");
}

/** Takes the other end with it, and both ends' addresses, routes and neighbours. */
export function deleteLink(writer: NetlinkWriter, index: number): void {
  interfaceHeader(writer.message(RTM_DELLINK, 0, `delete link ${index}`), index, 0, 0);
}

/** All links of a group at once: the kernel waits for its readers once, not once a link. */
export function deleteLinkGroup(writer: NetlinkWriter, group: number): void {
  interfaceHeader(writer.message(RTM_DELLINK, 0, `delete link group ${group}`), 0, 0, 0);
  writer.attributeU32(IFLA_GROUP, group);
}

/** For `deleteLinkGroup` later. */
export function setLinkGroup(writer: NetlinkWriter, index: number, group: number): void {
  interfaceHeader(writer.message(RTM_NEWLINK, 0, `set link ${index} group ${group}`), index, 0, 0);
  writer.attributeU32(IFLA_GROUP, group);
}

function interfaceHeader(writer: NetlinkWriter, index: number, flags: number, change: number): void {
  writer.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(change);
}

export interface AddressOptions {
  readonly address: string;
  readonly index: number;
  /**
   * Reachable as any address of the machine's, but never chosen as a source by itself: scope host in IPv4, deprecated in
   * IPv6. For addresses on loopback, of which masquerading would else take the first.
   */
  readonly neverSource?: boolean;
}

/** A single address (/32, /128), usable at once: no duplicate address detection, no route of its own. */
export function addAddress(writer: NetlinkWriter, options: AddressOptions): void {
  addressMessage(writer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, "add", options);
  const flags = IFA_F_NOPREFIXROUTE | (options.address.includes(":") ? IFA_F_NODAD : 0);
  writer.attributeU32(IFA_FLAGS, flags);
  if (options.neverSource && options.address.includes(":")) {
    const forever = 0xffff_ffff;
    writer.attributeBytes(IFA_CACHEINFO, new Uint8Array(Uint32Array.of(0, forever, 0, 0).buffer));
  }
}

export function deleteAddress(writer: NetlinkWriter, options: AddressOptions): void {
  addressMessage(writer, RTM_DELADDR, 0, "delete", options);
}

function addressMessage(writer: NetlinkWriter, type: number, flags: number, verb: string, options: AddressOptions): void {
  const bytes = bytesOfIp(options.address);
  const v4 = bytes.length === 4;
  writer.message(type, flags, `${verb} address ${options.address}`);
  writer
    .u8(v4 ? AF_INET : AF_INET6)
    .u8(bytes.length * 8)
    .u8(0);
  writer.u8(v4 && options.neverSource ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE).u32(options.index);
  writer.attributeBytes(IFA_LOCAL, bytes).attributeBytes(IFA_ADDRESS, bytes);
}

export interface RouteOptions {
  /** `10.244.1.0/24`; `0.0.0.0/0` and `::/0` are the default routes. */
  readonly destination: string;
  /** Absent: packets that match are refused at once (EHOSTUNREACH). */
  readonly index?: number;
  /** Taken as reachable on the link, whatever addresses that has (onlink). Absent: the destinations themselves are. */
  readonly via?: string;
  /** The source address of this machine's own packets. */
  readonly source?: string;
}

export function addRoute(writer: NetlinkWriter, options: RouteOptions): void {
  routeMessage(writer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "add", options);
}

export function deleteRoute(writer: NetlinkWriter, options: RouteOptions): void {
  routeMessage(writer, RTM_DELROUTE, 0, "delete", options);
}

function routeMessage(writer: NetlinkWriter, type: number, flags: number, verb: string, options: RouteOptions): void {
  const { destination, index, via, source } = options;
  const block = parseCidr(destination);
  if (block === undefined) throw new TypeError(`no CIDR: ${destination}`);
  const direct = index !== undefined && via === undefined && block.family === 4;
  writer.message(type, flags, `${verb} route ${destination}`);
  writer
    .u8(block.family === 4 ? AF_INET : AF_INET6)
    .u8(block.bits)
    .u8(0)
    .u8(0);
  writer
    .u8(RT_TABLE_MAIN)
    .u8(RTPROT_STATIC)
    .u8(direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  writer.u8(index === undefined ? RTN_UNREACHABLE : RTN_UNICAST).u32(via === undefined ? 0 : RTNH_F_ONLINK);
  if (block.bits > 0) writer.attributeBytes(RTA_DST, bytesOf({ family: block.family, value: block.base }));
  if (via !== undefined) writer.attributeBytes(RTA_GATEWAY, bytesOfIp(via));
  if (source !== undefined) writer.attributeBytes(RTA_PREFSRC, bytesOfIp(source));
  if (index !== undefined) writer.attributeU32(RTA_OIF, index);
}

/** Permanent: never asked for, never forgotten, and outside the kernel's limit of about a thousand entries. */
export function addNeighbour(
  writer: NetlinkWriter,
  options: { readonly address: string; readonly index: number; readonly mac: Uint8Array },
): void {
  const bytes = bytesOfIp(options.address);
  writer.message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, `add neighbour ${options.address}`);
  writer
    .u8(bytes.length === 4 ? AF_INET : AF_INET6)
    .u8(0)
    .u16(0)
    .u32(options.index)
    .u16(NUD_PERMANENT)
    .u8(0)
    .u8(0);
  writer.attributeBytes(NDA_DST, bytes).attributeBytes(NDA_LLADDR, options.mac);
}

/** For `dump`: all links of the namespace. */
export function requestLinks(writer: NetlinkWriter): void {
  interfaceHeader(writer.message(RTM_GETLINK, NLM_F_DUMP, "list links"), 0, 0, 0);
}

/** For `dump`: the main table's routes of a family and those of all other tables. */
export function requestRoutes(writer: NetlinkWriter, family: 4 | 6): void {
  writer.message(RTM_GETROUTE, NLM_F_DUMP, "list routes");
  writer
    .u8(family === 4 ? AF_INET : AF_INET6)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(0);
}
