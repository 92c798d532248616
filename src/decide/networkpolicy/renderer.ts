/** What one node's kernel holds of the policies, and what must change when some are planned anew. */
import type { Element, Operation, Table, TableFamily } from "../../lib/nftables/ruleset.ts";
import { diffParts, type ElementChange, type PartChange } from "./diff.ts";
import type { Direction, PolicyPlan } from "./plan.ts";
import {
  baseChains,
  classPart,
  directions,
  isOfFamily,
  isolatedMap,
  policyChain,
  policyPart,
  policyTableName,
  selfSet,
  type Part,
} from "./render.ts";
import type { PolicyChange } from "./tracker.ts";

/** An address of a pod of this node, and the policies that are about it. */
interface Local {
  readonly pod: string;
  readonly plans: Map<string, PolicyPlan>;
}

export class PolicyRenderer {
  readonly #node: string;
  readonly #table: Table;
  readonly #plans = new Map<string, PolicyPlan>();
  /** By address. */
  readonly #locals = new Map<string, Local>();
  /** What stands in the kernel, by chain. */
  readonly #parts = new Map<string, Part>();
  /** How many addresses lead to the chain of a class. */
  readonly #users = new Map<string, number>();

  constructor(node: string, family: TableFamily) {
    this.#node = node;
    this.#table = { family, name: policyTableName };
  }

  /** Isolated pods' addresses on this node. */
  get isolated(): number {
    return this.#locals.size;
  }

  /** A table that lets everything pass, in place of one of before. */
  begin(): readonly Operation[] {
    const table = this.#table;
    const { family } = table;
    const sets = [...directions.map((direction) => isolatedMap(direction, family)), selfSet(family)];
    return [
      // Adding first makes the deletion good also where there is nothing to delete.
      { kind: "addTable", table },
      { kind: "deleteTable", table },
      { kind: "addTable", table },
      ...sets.map((set): Operation => ({ kind: "addSet", table, set })),
      ...baseChains(family).flatMap(({ chain, base, rules }): Operation[] => [
        { kind: "addChain", table, chain, base },
        ...rules.map((statements): Operation => ({ kind: "addRule", table, chain, statements })),
      ]),
    ];
  }

  /** The kernel must take all of it: otherwise begin anew with another renderer. Costs the changed policies and their pods. */
  change(changes: readonly PolicyChange[]): readonly Operation[] {
    const addresses = new Set(changes.flatMap(({ key, plan }) => [...this.#addressesOf(this.#plans.get(key)), ...this.#addressesOf(plan)]));
    const before = this.#look(addresses);
    for (const { key, plan } of changes) this.#setPlan(key, plan);
    const after = this.#look(addresses);
    const wanted = new Map<string, Part | undefined>([
      ...this.#classes(before, after),
      ...changes.flatMap((change) => this.#policyParts(change)),
    ]);
    const { family } = this.#table;
    const standing = [
      ...directions.map((direction): ElementChange => ({
        set: isolatedMap(direction, family),
        before: before.flatMap((seen) => isolatedElement(seen, direction)),
        after: after.flatMap((seen) => isolatedElement(seen, direction)),
      })),
      { set: selfSet(family), before: before.map(selfElement), after: after.map(selfElement) },
    ];
    return diffParts(this.#table, this.#changedParts(wanted), standing);
  }

  #addressesOf(plan: PolicyPlan | undefined): readonly string[] {
    const local = plan?.pods.filter(({ node }) => node === this.#node) ?? [];
    return local.flatMap(({ addresses }) => addresses.filter((address) => isOfFamily(this.#table.family, address)));
  }

  #setPlan(key: string, plan: PolicyPlan | undefined): void {
    for (const address of this.#addressesOf(this.#plans.get(key))) {
      const local = this.#locals.get(address);
      local?.plans.delete(key);
      if (local?.plans.size === 0) this.#locals.delete(address);
    }
    if (plan === undefined) this.#plans.delete(key);
    else this.#plans.set(key, plan);
    for (const pod of plan?.pods ?? []) {
      if (pod.node !== this.#node) continue;
      for (const address of pod.addresses) {
        if (!isOfFamily(this.#table.family, address)) continue;
        const plans = this.#locals.get(address)?.plans ?? new Map<string, PolicyPlan>();
        this.#locals.set(address, { pod: pod.key, plans: plans.set(key, plan as PolicyPlan) });
      }
    }
  }

  /** Of those of the addresses that policies are about. */
  #look(addresses: ReadonlySet<string>): readonly Seen[] {
    return [...addresses].flatMap((address) => {
      const local = this.#locals.get(address);
      if (local === undefined) return [];
      const classes = directions.flatMap((direction) => {
        const policies = [...local.plans.values()].filter((plan) => plan[direction] !== undefined).map(({ key }) => key);
        return policies.length === 0 ? [] : [[direction, classPart(direction, policies.sort())] as const];
      });
      return [{ address, pod: local.pod, classes: new Map(classes) }];
    });
  }

  /** Of the classes that some address has joined or left: the part that must stand. */
  #classes(before: readonly Seen[], after: readonly Seen[]): readonly (readonly [string, Part | undefined])[] {
    const touched = new Map<string, Part>();
    const count = (seen: readonly Seen[], by: number) => {
      for (const { classes } of seen) {
        for (const part of classes.values()) {
          touched.set(part.chain, part);
          this.#users.set(part.chain, (this.#users.get(part.chain) ?? 0) + by);
        }
      }
    };
    count(before, -1);
    count(after, 1);
    return [...touched].map(([chain, part]) => {
      if ((this.#users.get(chain) ?? 0) > 0) return [chain, part];
      this.#users.delete(chain);
      return [chain, undefined];
    });
  }

  /** Parts that no pod of this node needs are left out. */
  #policyParts({ key, plan }: PolicyChange): readonly (readonly [string, Part | undefined])[] {
    const isUsed = this.#addressesOf(plan).length > 0;
    return directions.map((direction) => {
      const rules = isUsed ? plan?.[direction] : undefined;
      return [policyChain(direction, key), rules === undefined ? undefined : policyPart(this.#table.family, direction, key, rules)];
    });
  }

  #changedParts(wanted: ReadonlyMap<string, Part | undefined>): readonly PartChange[] {
    return [...wanted].flatMap(([chain, after]) => {
      const before = this.#parts.get(chain);
      if (after === undefined) this.#parts.delete(chain);
      else this.#parts.set(chain, after);
      return before === after ? [] : [{ before, after }];
    });
  }
}

interface Seen {
  readonly address: string;
  readonly pod: string;
  readonly classes: ReadonlyMap<Direction, Part>;
}

function isolatedElement({ address, pod, classes }: Seen, direction: Direction): readonly Element[] {
  const part = classes.get(direction);
  return part === undefined ? [] : [{ key: [address], value: { kind: "goto", chain: part.chain }, comment: pod }];
}

function selfElement({ address, pod }: Seen): Element {
  return { key: [address, address], comment: pod };
}
