/** The kernel's IPVS table of one network namespace, by generic netlink. `fakeIpvs` is the same in memory. */
import { loadModule } from "./module.ts";
import { readU16, type NetlinkAck } from "../netlink/reader.ts";
import { commit, dump, netlinkError, type NetlinkSocket } from "../netlink/socket.ts";
import { NLM_F_ACK, NLM_F_DUMP, NetlinkWriter } from "../netlink/writer.ts";
import { errnoCode } from "../../lib/errors.ts";
import * as c from "./constants.ts";
import { genlAttributes, genlMessage, readDestination, readService, writeDestination, writeService, writeServiceId } from "./messages.ts";

export interface IpvsServiceId {
  readonly address: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
}

export interface IpvsService extends IpvsServiceId {
  readonly scheduler: string;
  /** A client keeps its destination so long. Absent: no persistence. */
  readonly persistenceSeconds?: number;
  /** Scheduler mh hashes the client's port too. */
  readonly hashPort?: boolean;
}

export interface IpvsDestination {
  readonly ip: string;
  readonly port: number;
  /** 0: no new connections. */
  readonly weight: number;
  /** Connections that it has, those that have ended and are remembered among them. Only where it was read. */
  readonly connections?: number;
  /** Connections that it was ever given. Only where it was read. */
  readonly total?: number;
}

export type IpvsCommand =
  | { readonly kind: "addService" | "setService"; readonly service: IpvsService }
  | { readonly kind: "deleteService"; readonly service: IpvsServiceId }
  | {
      readonly kind: "addDestination" | "setDestination" | "deleteDestination";
      readonly service: IpvsServiceId;
      readonly destination: IpvsDestination;
    };

/** In seconds; 0: as it is. */
export interface IpvsTimeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

export interface Ipvs {
  services(): readonly IpvsService[];
  destinations(service: IpvsServiceId): readonly IpvsDestination[];
  /**
   * In order. One that is refused does not hold up the others: it is in the answer, by its place. What is there already is set to
   * what is asked for, and what is gone already is no error.
   */
  run(commands: readonly IpvsCommand[]): ReadonlyMap<number, Error>;
  timeouts(): IpvsTimeouts;
  setTimeouts(timeouts: IpvsTimeouts): void;
  close(): void;
}

const [ENOENT, ESRCH, EEXIST] = [2, 3, 17];
/** Answers must fit into an ordinary user's receive buffer. */
const atOnce = 128;

/**
 * `socket`: of NETLINK_GENERIC; decides the namespace, and is owned from here on. Throws a SystemError (ENOENT) where the kernel has
 * no IPVS and the module cannot be loaded.
 */
export async function openIpvs(socket: NetlinkSocket): Promise<Ipvs> {
  const writer = new NetlinkWriter();
  let family: number;
  try {
    family = findFamily(socket, writer);
  } catch (error) {
    if (errnoCode(error) !== "ENOENT" || !(await loadModule("ip_vs"))) throw error;
    family = findFamily(socket, writer);
  }
  return ipvsTable(socket, writer, family);
}

function findFamily(socket: NetlinkSocket, writer: NetlinkWriter): number {
  genlMessage(writer.reset(), c.GENL_ID_CTRL, c.CTRL_CMD_GETFAMILY, NLM_F_ACK, "find IPVS in this kernel");
  writer.attributeString(c.CTRL_ATTR_FAMILY_NAME, c.IPVS_GENL_NAME);
  const [message] = commit(socket, writer).messages;
  const id = message === undefined ? undefined : genlAttributes(message).get(c.CTRL_ATTR_FAMILY_ID);
  if (id === undefined) throw new Error("IPVS' netlink family has no number");
  return readU16(id);
}

function ipvsTable(socket: NetlinkSocket, writer: NetlinkWriter, family: number): Ipvs {
  const text = ({ address, port, protocol }: IpvsServiceId) => `${protocol} ${address} ${port}`;
  return {
    services: () =>
      dump(socket, writer, (w) => void genlMessage(w, family, c.IPVS_CMD_GET_SERVICE, NLM_F_DUMP, "list virtual servers")).flatMap(
        (message) => readService(message) ?? [],
      ),
    destinations(service) {
      const messages = dump(socket, writer, (w) => {
        genlMessage(w, family, c.IPVS_CMD_GET_DEST, NLM_F_DUMP, `list real servers of ${text(service)}`);
        w.nest(c.IPVS_CMD_ATTR_SERVICE, (inner) => void writeServiceId(inner, service));
      });
      return messages.flatMap((message) => readDestination(message, service.address.includes(":") ? 6 : 4) ?? []);
    },
    run(commands) {
      const failed = new Map<number, Error>();
      for (let from = 0; from < commands.length; from += atOnce) {
        for (const [at, error] of runSome(socket, writer, family, commands.slice(from, from + atOnce))) failed.set(from + at, error);
      }
      return failed;
    },
    timeouts() {
      genlMessage(writer.reset(), family, c.IPVS_CMD_GET_CONFIG, NLM_F_ACK, "read IPVS' time-outs");
      const [message] = commit(socket, writer).messages;
      const parts = message === undefined ? new Map<number, Uint8Array>() : genlAttributes(message);
      const seconds = (type: number) => {
        const value = parts.get(type);
        return value === undefined ? 0 : new DataView(value.buffer, value.byteOffset).getUint32(0, true);
      };
      return {
        tcp: seconds(c.IPVS_CMD_ATTR_TIMEOUT_TCP),
        tcpFin: seconds(c.IPVS_CMD_ATTR_TIMEOUT_TCP_FIN),
        udp: seconds(c.IPVS_CMD_ATTR_TIMEOUT_UDP),
      };
    },
    setTimeouts({ tcp, tcpFin, udp }) {
      genlMessage(writer.reset(), family, c.IPVS_CMD_SET_CONFIG, NLM_F_ACK, "set IPVS' time-outs");
      writer.attributeU32(c.IPVS_CMD_ATTR_TIMEOUT_TCP, tcp);
      writer.attributeU32(c.IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, tcpFin).attributeU32(c.IPVS_CMD_ATTR_TIMEOUT_UDP, udp);
      commit(socket, writer);
    },
    close: () => socket.close(),
  };
}

const commandNumbers: Readonly<Record<IpvsCommand["kind"], number>> = {
  addService: c.IPVS_CMD_NEW_SERVICE,
  setService: c.IPVS_CMD_SET_SERVICE,
  deleteService: c.IPVS_CMD_DEL_SERVICE,
  addDestination: c.IPVS_CMD_NEW_DEST,
  setDestination: c.IPVS_CMD_SET_DEST,
  deleteDestination: c.IPVS_CMD_DEL_DEST,
};

function runSome(
  socket: NetlinkSocket,
  writer: NetlinkWriter,
  family: number,
  commands: readonly IpvsCommand[],
): ReadonlyMap<number, Error> {
  writer.reset();
  const first = writer.sequence + 1;
  for (const command of commands) writeCommand(writer, family, command);
  const failed = new Map<number, Error>();
  const again: number[] = [];
  for (const ack of socket.exchange(writer.finish()).failures) {
    const at = ack.sequence - first;
    const command = commands[at] as IpvsCommand;
    if (isDone(command, ack)) continue;
    if (ack.errno === EEXIST && (command.kind === "addService" || command.kind === "addDestination")) again.push(at);
    else failed.set(at, netlinkError(ack, writer));
  }
  writer.reset();
  const second = again.map((at) => asSetting(commands[at] as IpvsCommand));
  if (second.length > 0) {
    for (const [i, error] of runSome(socket, writer, family, second)) failed.set(again[i] as number, error);
  }
  return failed;
}

/** What is gone already: a service ends with ESRCH, a destination with ENOENT (and with ESRCH where its service has gone). */
function isDone({ kind }: IpvsCommand, { errno }: NetlinkAck): boolean {
  return (kind === "deleteService" || kind === "deleteDestination") && (errno === ENOENT || errno === ESRCH);
}

function asSetting(command: IpvsCommand): IpvsCommand {
  if (command.kind === "addService") return { ...command, kind: "setService" };
  return command.kind === "addDestination" ? { ...command, kind: "setDestination" } : command;
}

function writeCommand(writer: NetlinkWriter, family: number, command: IpvsCommand): void {
  const { kind, service } = command;
  const label = `${kind} ${service.protocol} ${service.address} ${service.port}`;
  genlMessage(writer, family, commandNumbers[kind], NLM_F_ACK, "destination" in command ? `${label} ${command.destination.ip}` : label);
  writer.nest(c.IPVS_CMD_ATTR_SERVICE, (inner) => {
    if (kind === "addService" || kind === "setService") writeService(inner, service as IpvsService);
    else writeServiceId(inner, service);
  });
  if ("destination" in command) writer.nest(c.IPVS_CMD_ATTR_DEST, (inner) => void writeDestination(inner, command.destination));
}
