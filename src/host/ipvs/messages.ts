/** IPVS' generic netlink messages: services and destinations as bytes, and back. */
import { bytesOfIp, ipFromBytes } from "../syscalls/ip-bytes.ts";
import { AF_INET, AF_INET6 } from "../syscalls/constants.ts";
import { readAttributes, readString, readU16, readU16be, readU32, type NetlinkMessage } from "../netlink/reader.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import * as c from "./constants.ts";
import type { IpvsDestination, IpvsService, IpvsServiceId } from "./ipvs.ts";

const protocolNumbers = { TCP: 6, UDP: 17, SCTP: 132 } as const;
const genlHeaderBytes = 4;

/** Begins a message of the family; `command` and the family's version follow nlmsghdr. */
export function genlMessage(
  writer: NetlinkWriter,
  family: number,
  command: number,
  flags: number,
  label: string,
  version = 1,
): NetlinkWriter {
  return writer.message(family, flags, label).u8(command).u8(version).u16(0);
}

export function genlAttributes({ payload }: NetlinkMessage): Map<number, Uint8Array> {
  return readAttributes(payload.subarray(genlHeaderBytes));
}

/** 16 bytes, of which IPv4 takes the first four (`union nf_inet_addr`). */
function addressBytes(ip: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(bytesOfIp(ip));
  return bytes;
}

const isV6 = (ip: string) => ip.includes(":");
const familyOf = (ip: string) => (isV6(ip) ? AF_INET6 : AF_INET);

export function writeServiceId(writer: NetlinkWriter, { address, port, protocol }: IpvsServiceId): NetlinkWriter {
  return writer
    .attributeU16(c.IPVS_SVC_ATTR_AF, familyOf(address))
    .attributeU16(c.IPVS_SVC_ATTR_PROTOCOL, protocolNumbers[protocol])
    .attributeBytes(c.IPVS_SVC_ATTR_ADDR, addressBytes(address))
    .attributeU16be(c.IPVS_SVC_ATTR_PORT, port);
}

export function writeService(writer: NetlinkWriter, service: IpvsService): NetlinkWriter {
  const { persistenceSeconds, hashPort } = service;
  const flags = (persistenceSeconds === undefined ? 0 : c.IP_VS_SVC_F_PERSISTENT) | (hashPort === true ? c.IP_VS_SVC_F_SCHED2 : 0);
  return (
    writeServiceId(writer, service)
      .attributeString(c.IPVS_SVC_ATTR_SCHED_NAME, service.scheduler)
      .attributeBytes(c.IPVS_SVC_ATTR_FLAGS, new Uint8Array(Uint32Array.of(flags, 0xffff_ffff).buffer))
      .attributeU32(c.IPVS_SVC_ATTR_TIMEOUT, persistenceSeconds ?? 0)
      // Persistence for each client address by itself.
      .attributeU32(c.IPVS_SVC_ATTR_NETMASK, isV6(service.address) ? 128 : 0xffff_ffff)
  );
}

export function writeDestination(writer: NetlinkWriter, { ip, port, weight }: IpvsDestination): NetlinkWriter {
  return writer
    .attributeBytes(c.IPVS_DEST_ATTR_ADDR, addressBytes(ip))
    .attributeU16be(c.IPVS_DEST_ATTR_PORT, port)
    .attributeU32(c.IPVS_DEST_ATTR_FWD_METHOD, c.IP_VS_CONN_F_MASQ)
    .attributeU32(c.IPVS_DEST_ATTR_WEIGHT, weight)
    .attributeU32(c.IPVS_DEST_ATTR_U_THRESH, 0)
    .attributeU32(c.IPVS_DEST_ATTR_L_THRESH, 0)
    .attributeU16(c.IPVS_DEST_ATTR_ADDR_FAMILY, familyOf(ip));
}

/** Undefined for what is not known here: services by firewall mark, other protocols. */
export function readService(message: NetlinkMessage): IpvsService | undefined {
  const outer = genlAttributes(message).get(c.IPVS_CMD_ATTR_SERVICE);
  if (outer === undefined) return undefined;
  const parts = readAttributes(outer);
  const [family, number, address, port, scheduler, flags, timeout] = [
    c.IPVS_SVC_ATTR_AF,
    c.IPVS_SVC_ATTR_PROTOCOL,
    c.IPVS_SVC_ATTR_ADDR,
    c.IPVS_SVC_ATTR_PORT,
    c.IPVS_SVC_ATTR_SCHED_NAME,
    c.IPVS_SVC_ATTR_FLAGS,
    c.IPVS_SVC_ATTR_TIMEOUT,
  ].map((type) => parts.get(type));
  if (!family || !number || !address || !port || !scheduler || !flags) return undefined;
  const protocol = (Object.keys(protocolNumbers) as IpvsService["protocol"][]).find((name) => protocolNumbers[name] === readU16(number));
  if (protocol === undefined) return undefined;
  const bits = readU32(flags);
  return {
    address: readAddress(address, readU16(family)),
    port: readU16be(port),
    protocol,
    scheduler: readString(scheduler),
    ...(bits & c.IP_VS_SVC_F_PERSISTENT && timeout ? { persistenceSeconds: readU32(timeout) } : {}),
    ...(bits & c.IP_VS_SVC_F_SCHED2 ? { hashPort: true } : {}),
  };
}

export function readDestination(message: NetlinkMessage, serviceFamily: 4 | 6): IpvsDestination | undefined {
  const outer = genlAttributes(message).get(c.IPVS_CMD_ATTR_DEST);
  if (outer === undefined) return undefined;
  const parts = readAttributes(outer);
  const number = (type: number) => {
    const value = parts.get(type);
    return value === undefined ? 0 : readU32(value);
  };
  const [address, port, family] = [c.IPVS_DEST_ATTR_ADDR, c.IPVS_DEST_ATTR_PORT, c.IPVS_DEST_ATTR_ADDR_FAMILY].map((type) =>
    parts.get(type),
  );
  if (!address || !port) return undefined;
  // Kernels before 3.18 have the service's family only.
  const af = family === undefined ? (serviceFamily === 4 ? AF_INET : AF_INET6) : readU16(family);
  return {
    ip: readAddress(address, af),
    port: readU16be(port),
    weight: number(c.IPVS_DEST_ATTR_WEIGHT),
    connections: number(c.IPVS_DEST_ATTR_ACTIVE_CONNS) + number(c.IPVS_DEST_ATTR_INACT_CONNS),
    ...totalOf(parts.get(c.IPVS_DEST_ATTR_STATS64)),
  };
}

/** Since Linux 4.1. */
function totalOf(statistics: Uint8Array | undefined): Pick<IpvsDestination, "total"> {
  const value = statistics === undefined ? undefined : readAttributes(statistics).get(c.IPVS_STATS_ATTR_CONNS);
  if (value === undefined || value.length < 8) return {};
  return { total: Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true)) };
}

function readAddress(bytes: Uint8Array, family: number): string {
  return ipFromBytes(family === AF_INET ? bytes.subarray(0, 4) : bytes.subarray(0, 16));
}
