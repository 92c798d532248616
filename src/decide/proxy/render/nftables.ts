/**
 * Renders plans as nftables rules, a Service at a time: what it was and what it shall be, in as few operations as lead from one
 * to the other. Holds what the kernel should hold, does no I/O; the caller sends the operations and says whether they went in.
 */
import type { IpFamily } from "../../../lib/ip.ts";
import type { Element, Operation, Table } from "../../../lib/nftables/ruleset.ts";
import type { PlanNode, PortPlan, ServicePlan, VirtualAddress } from "../plan.ts";
import { servicePortText } from "../plan.ts";
import { Journal } from "./journal.ts";
import { classOf } from "./nftables-class.ts";
import { ClassTable } from "./nftables-classes.ts";
import { claimKey, ClaimTable } from "./nftables-claims.ts";
import { baseOperations, changeRanges, elementsOfFamily, familyLayout, type FamilyLayout } from "./nftables-layout.ts";
import { changeAddress, portKey, type Placement, type RenderedAddress } from "./nftables-service.ts";
import { clusterIPsOf, formerPlacement, hairpinsOf, nothing, placePort, type FormerTable, type ServiceState } from "./nftables-state.ts";
import { SharedSet } from "./nftables-shared-set.ts";
import { OperationBuilder } from "./operations.ts";

export const defaultTableName = "fairlead";

export interface NftablesOptions {
  readonly node: Pick<PlanNode, "addresses" | "clusterCIDRs" | "podInterface">;
  /** Where Services may get addresses; packets to one that none has are dropped. Empty: they pass. */
  readonly serviceCIDRs: readonly string[];
  readonly families?: readonly IpFamily[];
  readonly tableName?: string;
  /** False for addresses that another backend serves. Default: all are served here. */
  readonly serves?: (address: VirtualAddress) => boolean;
  /** What the kernel holds from before, so that what can stay as it is does. */
  readonly former?: (table: Table) => FormerTable | undefined;
}

export interface TakenAddress {
  readonly address: VirtualAddress;
  readonly protocol: PortPlan["protocol"];
  /** The Service that has it. */
  readonly by: string;
}

export interface ServiceChange {
  /** Addresses of this Service that another one has. */
  readonly taken: readonly TakenAddress[];
  /** Services that should be rendered again: an address that they want is free, or was taken from them. */
  readonly again: readonly string[];
}

interface Family {
  readonly layout: FamilyLayout;
  readonly classes: ClassTable;
  readonly clusterIPs: SharedSet;
  readonly hairpins: SharedSet;
  readonly former: FormerTable | undefined;
}

export class NftablesRenderer {
  #options: NftablesOptions;
  readonly #journal = new Journal();
  readonly #claims = new ClaimTable(this.#journal);
  readonly #families: Map<IpFamily, Family>;
  readonly #services = new Map<string, ServiceState>();

  constructor(options: NftablesOptions) {
    this.#options = options;
    const families = options.families ?? ([4, 6] as const);
    this.#families = new Map(families.map((family) => [family, this.#family(family)]));
  }

  #family(family: IpFamily): Family {
    const layout = familyLayout(family, this.#options.tableName ?? defaultTableName);
    const former = this.#options.former?.(layout.table);
    return {
      layout,
      former,
      classes: new ClassTable(layout, this.#journal, former?.classes),
      clusterIPs: new SharedSet(layout.table, layout.clusterIPs, this.#journal),
      hairpins: new SharedSet(layout.table, layout.hairpin, this.#journal),
    };
  }

  /** Virtual addresses in the rules. */
  get served(): number {
    let count = 0;
    for (const { addresses } of this.#services.values()) count += addresses.size;
    return count;
  }

  /** `ns/name:port` of the Service at an address. */
  servicePortAt({ protocol, address, port }: Pick<VirtualAddress, "address" | "port"> & Pick<PortPlan, "protocol">): string | undefined {
    const claim = claimKey(protocol, { address, port });
    const owner = this.#claims.owner(claim);
    return owner === undefined ? undefined : this.#services.get(owner)?.addresses.get(claim)?.comment;
  }

  tables(): readonly Table[] {
    return [...this.#families.values()].map(({ layout }) => layout.table);
  }

  /** The tables without a Service. To be sent before anything else; takes away what was there under their names. */
  base(): readonly Operation[] {
    const { node, serviceCIDRs } = this.#options;
    return [...this.#families.values()].flatMap(({ layout }) => baseOperations(layout, { nodeAddresses: node.addresses, serviceCIDRs }));
  }

  /** Everything that should be there, in parts of `elements` and more, for tables that are there already: what they lack is to be added. */
  *snapshot(elements: number): Generator<readonly Operation[]> {
    yield this.base().filter(({ kind }) => kind !== "addTable" && kind !== "deleteTable");
    let builder = new OperationBuilder();
    for (const { classes, clusterIPs, hairpins } of this.#families.values()) {
      classes.snapshot(builder);
      clusterIPs.snapshot(builder);
      hairpins.snapshot(builder);
    }
    for (const { addresses } of this.#services.values()) {
      for (const rendered of addresses.values()) changeAddress(this.#familyOf(rendered).layout, undefined, rendered, builder);
      if (builder.elements < elements) continue;
      yield builder.finish();
      builder = new OperationBuilder();
    }
    yield builder.finish();
  }

  /** What was there before is known no more. */
  forgetFormer(): void {
    for (const [family, state] of this.#families) this.#families.set(family, { ...state, former: undefined });
  }

  /** Addresses that no Service has are dropped in other ranges. */
  setServiceCIDRs(serviceCIDRs: readonly string[], builder: OperationBuilder): void {
    this.#options = { ...this.#options, serviceCIDRs };
    for (const { layout } of this.#families.values()) builder.addChain(changeRanges(layout, serviceCIDRs));
  }

  /** The node has other addresses; where pods are counts for Services that are rendered from now on. */
  setNode(node: NftablesOptions["node"], builder: OperationBuilder): void {
    const [before, addresses] = [this.#options.node.addresses, node.addresses];
    this.#options = { ...this.#options, node };
    for (const { layout } of this.#families.values()) {
      const [old, next] = [before, addresses].map((list) => elementsOfFamily(layout.family, list)) as [Element[], Element[]];
      const has = (list: readonly Element[], { key }: Element) => list.some((one) => one.key[0] === key[0]);
      for (const element of old) if (!has(next, element)) builder.delete(layout.table, layout.nodeIPs, element);
      for (const element of next) if (!has(old, element)) builder.add(layout.table, layout.nodeIPs, element);
    }
  }

  /** Takes the tables away. */
  removal(): readonly Operation[] {
    return this.tables().flatMap((table): Operation[] => [
      { kind: "addTable", table },
      { kind: "deleteTable", table },
    ]);
  }

  /** `plan` undefined: the Service is gone. The operations go to the builder. */
  change(key: string, plan: ServicePlan | undefined, builder: OperationBuilder): ServiceChange {
    const old = this.#services.get(key) ?? nothing;
    const ports = plan?.kind === "service" ? plan.ports : [];
    const { wanted, taken, losers } = this.#claim(key, ports);
    for (const [loser, claim] of losers) this.#giveUp(loser, claim, builder);
    const again = [...losers.map(([loser]) => loser), ...this.#releaseClaims(key, old, wanted)];
    const next = this.#render(old, wanted, builder);
    this.#apply(old, next, builder);
    if (next.addresses.size === 0) this.#journal.delete(this.#services, key);
    else this.#journal.set(this.#services, key, next);
    return { taken, again: [...new Set(again)] };
  }

  /** The operations since the last call are in the kernel. */
  committed(): void {
    this.#journal.commit();
  }

  /** They are not, and nothing of them. */
  refused(): void {
    this.#journal.rollback();
  }

  /** Removes what no Service uses any more and `change` has left for the next one. */
  compact(builder: OperationBuilder): void {
    for (const { classes } of this.#families.values()) classes.compact(builder);
  }

  #claim(key: string, ports: readonly PortPlan[]) {
    const wanted = new Map<string, { readonly port: PortPlan; readonly address: VirtualAddress }>();
    const taken: TakenAddress[] = [];
    const losers: (readonly [string, string])[] = [];
    for (const port of ports) {
      for (const address of port.addresses) {
        const claim = claimKey(port.protocol, address);
        if (!this.#families.has(address.family) || this.#options.serves?.(address) === false || wanted.has(claim)) continue;
        const result = this.#claims.claim(claim, key, address.kind);
        if (result.kind === "taken") taken.push({ address, protocol: port.protocol, by: result.by });
        else wanted.set(claim, { port, address });
        if (result.kind === "won") losers.push([result.from, claim]);
      }
    }
    return { wanted, taken, losers };
  }

  #giveUp(service: string, claim: string, builder: OperationBuilder): void {
    const state = this.#services.get(service) ?? nothing;
    const rest = new Map(state.addresses);
    rest.delete(claim);
    const next = { ...state, addresses: rest };
    this.#apply(state, next, builder);
    this.#journal.set(this.#services, service, next);
  }

  #releaseClaims(key: string, old: ServiceState, wanted: ReadonlyMap<string, unknown>): readonly string[] {
    const waiting: string[] = [];
    for (const claim of old.addresses.keys()) if (!wanted.has(claim)) waiting.push(...this.#claims.release(claim, key));
    return waiting;
  }

  #render(
    old: ServiceState,
    wanted: ReadonlyMap<string, { readonly port: PortPlan; readonly address: VirtualAddress }>,
    builder: OperationBuilder,
  ): ServiceState {
    const addresses = new Map<string, RenderedAddress>();
    const placements = new Map<string, Placement>();
    for (const [claim, { port, address }] of wanted) {
      const { layout, classes, former } = this.#families.get(address.family) as Family;
      const { chain, sets } = classOf(layout, port, address, this.#options.node);
      const placed = `${portKey(port)} ${address.family}`;
      const placement =
        placements.get(placed) ?? placePort(old.placements.get(placed) ?? formerPlacement(former, port, address), port, address.family);
      placements.set(placed, placement);
      addresses.set(claim, {
        kind: address.kind,
        address: address.address,
        port: address.port,
        protocol: port.protocol,
        comment: servicePortText(port.servicePort).slice(0, maxCommentLength),
        className: chain.name,
        classMark: classes.acquire(chain, builder),
        sticky: port.affinity.kind === "clientIP",
        sets,
        placement,
      });
    }
    return { addresses, placements };
  }

  #apply(old: ServiceState, next: ServiceState, builder: OperationBuilder): void {
    for (const [claim, rendered] of old.addresses) {
      const { layout, classes } = this.#familyOf(rendered);
      changeAddress(layout, rendered, next.addresses.get(claim), builder);
      // What stays was acquired anew, or is the very same and keeps its use.
      if (next.addresses.get(claim) !== rendered) classes.release(rendered.className, builder);
    }
    for (const [claim, rendered] of next.addresses) {
      if (!old.addresses.has(claim)) changeAddress(this.#familyOf(rendered).layout, undefined, rendered, builder);
    }
    for (const { layout, clusterIPs, hairpins } of this.#families.values()) {
      clusterIPs.change(clusterIPsOf(old, layout.family), clusterIPsOf(next, layout.family), builder);
      hairpins.change(hairpinsOf(old, layout.family), hairpinsOf(next, layout.family), builder);
    }
  }

  #familyOf({ address }: RenderedAddress): Family {
    return this.#families.get(address.includes(":") ? 6 : 4) as Family;
  }
}

/** The kernel takes 255 bytes of an element's user data; names are shorter, but a limit is a limit. */
const maxCommentLength = 128;
