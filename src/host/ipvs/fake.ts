/** IPVS in memory: takes what the kernel takes, refuses what it refuses. */
import type { Ipvs, IpvsCommand, IpvsDestination, IpvsService, IpvsServiceId, IpvsTimeouts } from "./ipvs.ts";

export interface FakeIpvs extends Ipvs {
  /** Commands so far, in order. */
  readonly commands: readonly IpvsCommand[];
  /** As many connections as the destination is to have: it drains until 0. */
  connect(service: IpvsServiceId, ip: string, connections: number): void;
  /** The next command of the kind is refused. */
  refuseNext(kind: IpvsCommand["kind"]): void;
}

interface Entry {
  service: IpvsService;
  readonly destinations: Map<string, IpvsDestination>;
}

export function fakeIpvs(): FakeIpvs {
  const table = new Map<string, Entry>();
  const commands: IpvsCommand[] = [];
  let timeouts: IpvsTimeouts = { tcp: 900, tcpFin: 120, udp: 300 };
  let refusal: IpvsCommand["kind"] | undefined;
  const keyOf = ({ address, port, protocol }: IpvsServiceId) => `${protocol} ${address} ${port}`;
  const one = (command: IpvsCommand): void => {
    if (refusal === command.kind) {
      refusal = undefined;
      throw new Error(`${command.kind}: refused`);
    }
    const key = keyOf(command.service);
    const entry = table.get(key);
    if (command.kind === "addService" && entry === undefined)
      return void table.set(key, { service: command.service, destinations: new Map() });
    if (command.kind === "deleteService") return void table.delete(key);
    if (entry === undefined) {
      if (command.kind === "deleteDestination") return;
      throw new Error(`${command.kind} ${key}: no such service`);
    }
    if (!("destination" in command)) return void (entry.service = command.service as IpvsService);
    const at = `${command.destination.ip} ${command.destination.port}`;
    if (command.kind === "deleteDestination") return void entry.destinations.delete(at);
    if (command.kind === "setDestination" && !entry.destinations.has(at)) throw new Error(`${command.kind} ${key}: no such destination`);
    entry.destinations.set(at, { connections: 0, ...entry.destinations.get(at), ...command.destination });
  };
  return {
    commands,
    services: () => [...table.values()].map(({ service }) => service),
    destinations: (service) => [...(table.get(keyOf(service))?.destinations.values() ?? [])],
    run(all) {
      const failed = new Map<number, Error>();
      for (const [i, command] of all.entries()) {
        commands.push(command);
        try {
          one(command);
        } catch (error) {
          failed.set(i, error as Error);
        }
      }
      return failed;
    },
    timeouts: () => timeouts,
    setTimeouts: ({ tcp, tcpFin, udp }) =>
      void (timeouts = { tcp: tcp || timeouts.tcp, tcpFin: tcpFin || timeouts.tcpFin, udp: udp || timeouts.udp }),
    connect(service, ip, connections) {
      const destinations = table.get(keyOf(service))?.destinations;
      for (const [key, destination] of destinations ?? [])
        if (destination.ip === ip) destinations?.set(key, { ...destination, connections });
    },
    refuseNext: (kind) => void (refusal = kind),
    close: () => undefined,
  };
}
