/** What changes for the users of a plan's Services when a node's proxy changes its mode. Pure. */
import type { PlannedService, ProxyPlan } from "../plan.ts";
import {
  nodeTraits,
  serviceTraits,
  type DiffMode,
  type NodeTrait,
  type NodeTraitCode,
  type ServiceTrait,
  type ServiceTraitCode,
  type TraitContext,
  type TraitValue,
} from "./traits.ts";

/** `loses`: something that a client may rely on is not there any more. */
export type Effect = "loses" | "gains" | "differs";

export interface Change<Code extends string> {
  readonly code: Code;
  readonly effect: Effect;
  readonly from: string;
  readonly to: string;
}

export interface ServiceDiff {
  /** `namespace/name` */
  readonly service: string;
  /** What is lost comes first. */
  readonly changes: readonly Change<ServiceTraitCode>[];
}

export interface ModeDiff {
  readonly kind: "diff";
  readonly from: DiffMode;
  readonly to: DiffMode;
  readonly node: readonly Change<NodeTraitCode>[];
  /** Those for which something changes. */
  readonly services: readonly ServiceDiff[];
  /** How many there are in all. */
  readonly planned: number;
}

export interface DiffOptions extends Partial<TraitContext> {
  readonly from: DiffMode;
  readonly to: DiffMode;
}

export function diffModes(plan: ProxyPlan, { from, to, ...options }: DiffOptions): ModeDiff {
  const context: TraitContext = {
    scheduler: "rr",
    nodePortAddressesGiven: false,
    podsKnown: (plan.node.clusterCIDRs ?? []).length > 0,
    ...options,
  };
  const planned = plan.services.filter((service) => service.kind === "service");
  const services = planned.map((service): ServiceDiff => ({
    service: `${service.namespace}/${service.name}`,
    changes: serviceChanges(service, from, to, context),
  }));
  return {
    kind: "diff",
    from,
    to,
    node: changesOf<NodeTrait, NodeTraitCode>(nodeTraits, (trait) => [trait(from, context), trait(to, context)]),
    services: services.filter(({ changes }) => changes.length > 0),
    planned: planned.length,
  };
}

function serviceChanges(service: PlannedService, from: DiffMode, to: DiffMode, context: TraitContext): readonly Change<ServiceTraitCode>[] {
  return changesOf<ServiceTrait, ServiceTraitCode>(serviceTraits, (trait) => [trait(from, service, context), trait(to, service, context)]);
}

const order: readonly Effect[] = ["loses", "differs", "gains"];

function changesOf<Trait, Code extends string>(
  traits: Readonly<Record<Code, Trait>>,
  ask: (trait: Trait) => readonly [TraitValue | undefined, TraitValue | undefined],
): readonly Change<Code>[] {
  const changes = (Object.keys(traits) as Code[]).flatMap((code): Change<Code>[] => {
    const [before, after] = ask(traits[code]);
    if (before === undefined || after === undefined || before.text === after.text) return [];
    const effect = after.amount === before.amount ? "differs" : after.amount < before.amount ? "loses" : "gains";
    return [{ code, effect, from: before.text, to: after.text }];
  });
  return changes.sort((a, b) => order.indexOf(a.effect) - order.indexOf(b.effect));
}
