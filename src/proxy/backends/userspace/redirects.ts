/**
 * Virtual addresses that are no host's: the kernel leads their connections to a listener of the proxy, and refuses those of a
 * Service without endpoints. One table of this mode's own with a map for each protocol; a change costs its elements.
 */
import type { Nftables } from "../../../host/nftables/nftables.ts";
import type { DataType, Field, Operation, SetDeclaration, Statement, Table } from "../../../lib/nftables/ruleset.ts";

export interface Place {
  readonly address: string;
  readonly port: number;
}

export type RedirectedProtocol = "TCP" | "UDP";

export interface Redirects {
  /** The address of this host to listen on, whose family is the virtual address's; undefined: the family is not carried. */
  listenAddress(virtual: string): string | undefined;
  lead(protocol: RedirectedProtocol, from: Place, to: Place): void;
  refuse(protocol: RedirectedProtocol, from: Place): void;
  /** Neither led nor refused any more. */
  leave(protocol: RedirectedProtocol, from: Place): void;
  /** From here on the rules are in force, all of them at once in place of an earlier proxy's; before, they are only remembered. */
  open(): void;
  /** Sets the rules up again where somebody has written rules since; true: the tables were gone. */
  heal(): boolean;
  /** Takes the rules away; `keep`: leaves them to another proxy. */
  close(keep: boolean): void;
}

export const redirectTableName = "fairlead-userspace";

interface Family {
  readonly table: Table;
  readonly host: string;
}

const protocols = ["TCP", "UDP"] as const;

/** `hosts`: one address of the host for each family that is to be carried. Closes `nftables` in the end. */
export function kernelRedirects(nftables: Nftables, hosts: readonly string[]): Redirects {
  const families = hosts.map((host): Family => ({ table: { family: host.includes(":") ? "ip6" : "ip", name: redirectTableName }, host }));
  const familyOf = (address: string) => families.find(({ host }) => host.includes(":") === address.includes(":"));
  const now = new Map<string, Operation>();
  let opened = false;
  let generation = 0;
  const commit = (operations: readonly Operation[]) => {
    nftables.commit(operations);
    generation = nftables.generation();
  };
  const all = () => [...families.flatMap(({ table }) => tableOperations(table)), ...now.values()];
  const change = (protocol: RedirectedProtocol, from: Place, element: Operation | undefined) => {
    const key = `${protocol} ${from.address} ${from.port}`;
    const before = now.get(key);
    const undo =
      before?.kind === "addElements"
        ? [{ ...before, kind: "deleteElements" as const, elements: before.elements.map(({ key: own }) => ({ key: own })) }]
        : [];
    if (opened) commit([...undo, ...(element === undefined ? [] : [element])]);
    if (element === undefined) now.delete(key);
    else now.set(key, element);
  };
  return {
    listenAddress: (virtual) => familyOf(virtual)?.host,
    lead(protocol, from, to) {
      const family = familyOf(from.address);
      if (family === undefined) return;
      const element = { key: [from.address, from.port], value: [to.address, to.port] };
      change(protocol, from, { kind: "addElements", table: family.table, set: mapOf(protocol, family.table), elements: [element] });
    },
    refuse(protocol, from) {
      const family = familyOf(from.address);
      if (family === undefined) return;
      const element = { key: [from.address, from.port] };
      change(protocol, from, { kind: "addElements", table: family.table, set: refusedOf(protocol, family.table), elements: [element] });
    },
    leave(protocol, from) {
      if (familyOf(from.address) !== undefined) change(protocol, from, undefined);
    },
    open() {
      if (opened) return;
      opened = true;
      commit(all());
    },
    heal() {
      if (!opened || nftables.generation() === generation) return false;
      const gone = families.some(({ table }) => !nftables.has(table));
      // Ours may be among what was written; connections that are tracked do not notice.
      commit(all());
      return gone;
    },
    close(keep) {
      if (opened && !keep) nftables.commit(families.map(({ table }): Operation => ({ kind: "deleteTable", table })));
      nftables.close();
    },
  };
}

function addressType({ family }: Table): DataType {
  return family === "ip" ? "ipv4_addr" : "ipv6_addr";
}

function mapOf(protocol: RedirectedProtocol, table: Table): SetDeclaration {
  const type: readonly DataType[] = [addressType(table), "inet_service"];
  return { name: `${protocol.toLowerCase()}-led`, key: type, value: type };
}

function refusedOf(protocol: RedirectedProtocol, table: Table): SetDeclaration {
  return { name: `${protocol.toLowerCase()}-refused`, key: [addressType(table), "inet_service"] };
}

export function tableOperations(table: Table): readonly Operation[] {
  const jump: Statement = { kind: "verdict", verdict: { kind: "jump", chain: "services" } };
  const refuse: Statement = { kind: "verdict", verdict: { kind: "goto", chain: "refuse" } };
  const key = (protocol: RedirectedProtocol): readonly Field[] => [
    table.family === "ip" ? "ip daddr" : "ip6 daddr",
    protocol === "TCP" ? "tcp dport" : "udp dport",
  ];
  const rules = protocols.flatMap((protocol): Statement[][] => [
    [{ kind: "inSet", key: key(protocol), set: refusedOf(protocol, table).name }, refuse],
    [{ kind: "dnatByMap", key: key(protocol), map: mapOf(protocol, table).name }],
  ]);
  const chain = (name: string, statements: readonly Statement[][], hook?: "prerouting" | "output"): Operation[] => [
    { kind: "addChain", table, chain: name, ...(hook === undefined ? {} : { base: { type: "nat", hook, priority: -100 } }) },
    ...statements.map((rule): Operation => ({ kind: "addRule", table, chain: name, statements: rule })),
  ];
  return [
    // Adding first makes the deletion good also where there is nothing to delete.
    { kind: "addTable", table },
    { kind: "deleteTable", table },
    { kind: "addTable", table },
    ...protocols.flatMap((protocol): Operation[] => [
      { kind: "addSet", table, set: mapOf(protocol, table) },
      { kind: "addSet", table, set: refusedOf(protocol, table) },
    ]),
    ...chain("refuse", [[{ kind: "reject", with: "tcp reset" }], [{ kind: "reject", with: "port-unreachable" }]]),
    ...chain("services", rules),
    ...chain("nat-prerouting", [[jump]], "prerouting"),
    ...chain("nat-output", [[jump]], "output"),
  ];
}
