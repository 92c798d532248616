/**
 * What is wanted of the kernel, kept up to date a Service at a time. A change answers with the operations that it needs, whatever
 * the number of Services. `adopt` compares everything once, with what an earlier proxy has left.
 */
import type { ServicePlan } from "../../plan.ts";
import { Claims } from "./claims.ts";
import { contribution, type Contribution, type ContributionOptions, type NoNodeAccess } from "./contribution.ts";
import { inOrder, serverOperations, setDifference, type IpvsOperation } from "./operations.ts";
import { setNames, type SetName } from "./sets.ts";
import { serverKey, type VirtualServer } from "./state.ts";

/** As the kernel has it, of one family; only what is ours to decide about. */
export interface KernelState {
  readonly virtualServers: readonly VirtualServer[];
  readonly addresses: readonly string[];
  readonly sets: ReadonlyMap<SetName, readonly string[]>;
}

const nothing: Contribution = { servers: [], addresses: [], entries: [], noNodeAccess: [] };

export class IpvsModel {
  #options: ContributionOptions;
  readonly #contributions = new Map<string, Contribution>();
  readonly #servers = new Claims<VirtualServer>();
  readonly #addresses = new Claims<true>();
  readonly #entries: Readonly<Record<SetName, Claims<true>>>;
  readonly #noNodeAccess = new Claims<NoNodeAccess>();

  constructor(options: ContributionOptions) {
    this.#options = options;
    this.#entries = Object.fromEntries(setNames.map((name) => [name, new Claims<true>()])) as Record<SetName, Claims<true>>;
  }

  /** Counts for the changes that follow. */
  setOptions(options: ContributionOptions): void {
    this.#options = options;
  }

  /** `plan` undefined: the Service is gone. In the order in which they must be done. */
  change(key: string, plan: ServicePlan | undefined): readonly IpvsOperation[] {
    const old = this.#contributions.get(key) ?? nothing;
    const next = plan?.kind === "service" ? contribution(plan, this.#options) : nothing;
    if (next === nothing) this.#contributions.delete(key);
    else this.#contributions.set(key, next);
    return inOrder([
      ...this.#changeServers(key, old, next),
      ...this.#changeAddresses(key, old, next),
      ...this.#changeEntries(key, old, next),
      ...this.#changeAccess(key, old, next),
    ]);
  }

  #changeServers(owner: string, old: Contribution, next: Contribution): readonly IpvsOperation[] {
    const touched = new Set([...old.servers, ...next.servers].map(serverKey));
    const before = new Map([...touched].map((key) => [key, this.#servers.get(key)]));
    for (const server of old.servers) this.#servers.delete(serverKey(server), owner);
    for (const server of next.servers) this.#servers.set(serverKey(server), owner, server);
    return [...before].flatMap(([key, have]) => serverOperations(have, this.#servers.get(key)));
  }

  #changeAddresses(owner: string, old: Contribution, next: Contribution): readonly IpvsOperation[] {
    const { added, gone } = moveClaims(this.#addresses, owner, old.addresses, next.addresses);
    return [
      ...added.flatMap((address): IpvsOperation[] => [
        { kind: "bind", address },
        { kind: "addEntry", set: "KUBE-IPVS-IPS", entry: address },
      ]),
      ...gone.flatMap((address): IpvsOperation[] => [
        { kind: "unbind", address },
        { kind: "deleteEntry", set: "KUBE-IPVS-IPS", entry: address },
      ]),
    ];
  }

  #changeEntries(owner: string, old: Contribution, next: Contribution): readonly IpvsOperation[] {
    const of = ({ entries }: Contribution, name: SetName) => entries.flatMap(([set, entry]) => (set === name ? [entry] : []));
    const touched = new Set([...old.entries, ...next.entries].map(([name]) => name));
    return [...touched].flatMap((set) => {
      const { added, gone } = moveClaims(this.#entries[set], owner, of(old, set), of(next, set));
      return [
        ...added.map((entry): IpvsOperation => ({ kind: "addEntry", set, entry })),
        ...gone.map((entry): IpvsOperation => ({ kind: "deleteEntry", set, entry })),
      ];
    });
  }

  #changeAccess(owner: string, old: Contribution, next: Contribution): readonly [] {
    for (const one of old.noNodeAccess) this.#noNodeAccess.delete(accessKey(one), owner);
    for (const one of next.noNodeAccess) this.#noNodeAccess.set(accessKey(one), owner, one);
    // These are rules, of which there are few: they are written whole.
    return [];
  }

  server(key: string): VirtualServer | undefined {
    return this.#servers.get(key);
  }

  get servers(): readonly VirtualServer[] {
    return sortedKeys(this.#servers).flatMap((key) => this.#servers.get(key) ?? []);
  }

  get addresses(): readonly string[] {
    return sortedKeys(this.#addresses);
  }

  get sets(): ReadonlyMap<SetName, readonly string[]> {
    return new Map(setNames.map((name) => [name, name === "KUBE-IPVS-IPS" ? this.addresses : sortedKeys(this.#entries[name])]));
  }

  /** Sets that hold something: on these the rules depend. */
  get filled(): ReadonlySet<SetName> {
    return new Set(setNames.filter((name) => (name === "KUBE-IPVS-IPS" ? this.#addresses : this.#entries[name]).size > 0));
  }

  get noNodeAccess(): readonly NoNodeAccess[] {
    return sortedKeys(this.#noNodeAccess).flatMap((key) => this.#noNodeAccess.get(key) ?? []);
  }

  get serverCount(): number {
    return this.#servers.size;
  }

  /** From what the kernel has to what is wanted: what is right stays as it is, what nobody wants goes. */
  adopt(have: KernelState): readonly IpvsOperation[] {
    const servers = new Map(have.virtualServers.map((server) => [serverKey(server), server]));
    const bound = setDifference(have.addresses, this.addresses);
    const operations: IpvsOperation[] = [
      ...this.servers.flatMap((want) => serverOperations(servers.get(serverKey(want)), want)),
      ...[...servers].flatMap(([key, server]) => (this.#servers.get(key) === undefined ? serverOperations(server, undefined) : [])),
      ...bound.added.map((address): IpvsOperation => ({ kind: "bind", address })),
      ...bound.gone.map((address): IpvsOperation => ({ kind: "unbind", address })),
    ];
    for (const [set, entries] of this.sets) {
      const { added, gone } = setDifference(have.sets.get(set) ?? [], entries);
      for (const entry of added) operations.push({ kind: "addEntry", set, entry });
      for (const entry of gone) operations.push({ kind: "deleteEntry", set, entry });
    }
    return inOrder(operations);
  }
}

const accessKey = ({ address, protocol, port }: NoNodeAccess) => `${address} ${protocol} ${port}`;
const sortedKeys = (claims: Claims<unknown>): string[] => [...claims.keys()].sort();

/** What of a Service's texts nobody had before, and what nobody has any more. */
function moveClaims(
  claims: Claims<true>,
  owner: string,
  old: readonly string[],
  next: readonly string[],
): { added: string[]; gone: string[] } {
  const touched = [...new Set([...old, ...next])].map((key) => [key, claims.get(key) !== undefined] as const);
  for (const key of old) claims.delete(key, owner);
  for (const key of next) claims.set(key, owner, true);
  const now = (key: string) => claims.get(key) !== undefined;
  return {
    added: touched.flatMap(([key, had]) => (!had && now(key) ? [key] : [])),
    gone: touched.flatMap(([key, had]) => (had && !now(key) ? [key] : [])),
  };
}
