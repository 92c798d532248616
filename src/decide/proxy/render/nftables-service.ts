/** One virtual address as elements of the maps, and the elements that lead from one state of it to the next. */
import type { Element } from "../../../lib/nftables/ruleset.ts";
import type { EndpointSet, PortPlan, Protocol, VirtualAddress } from "../plan.ts";
import { localOffset, type FamilyLayout } from "./nftables-layout.ts";
import type { Slot } from "./nftables-placement.ts";
import type { OperationBuilder } from "./operations.ts";

/** The endpoints of a Service port in one family, shared by all its addresses. */
export type Placement = Readonly<Record<EndpointSet, readonly Slot[]>>;

export interface RenderedAddress {
  readonly kind: VirtualAddress["kind"];
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** `ns/name:port`, for whoever lists the table. */
  readonly comment: string;
  readonly className: string;
  readonly classMark: number;
  readonly sticky: boolean;
  readonly sets: readonly EndpointSet[];
  readonly placement: Placement;
}

const setOffset: Readonly<Record<EndpointSet, number>> = { cluster: 0, local: localOffset };
/** Above every class and index: an id never reads as one of them. */
const idOffset: Readonly<Record<EndpointSet, number>> = { cluster: 0x100_0000, local: 0x200_0000 };
const noSlots: readonly Slot[] = [];

export function changeAddress(
  layout: FamilyLayout,
  old: RenderedAddress | undefined,
  next: RenderedAddress | undefined,
  builder: OperationBuilder,
): void {
  const kept = old !== undefined && next !== undefined && old.sticky === next.sticky;
  for (const set of ["cluster", "local"] as const) {
    const before = slotsOf(old, set);
    const after = slotsOf(next, set);
    if (before === after && kept) continue;
    changeSlots(layout, old, before, kept ? after : noSlots, set, builder, "delete");
    changeSlots(layout, next, after, kept ? before : noSlots, set, builder, "add");
  }
  if (old !== undefined && next !== undefined && old.classMark === next.classMark && old.comment === next.comment) return;
  if (old !== undefined) builder.delete(layout.table, layout.services, { key: serviceKey(old) });
  if (next !== undefined)
    builder.add(layout.table, layout.services, { key: serviceKey(next), value: [next.classMark], comment: next.comment });
}

function slotsOf(rendered: RenderedAddress | undefined, set: EndpointSet): readonly Slot[] {
  return rendered === undefined || !rendered.sets.includes(set) ? noSlots : rendered.placement[set];
}

function serviceKey({ address, protocol, port }: RenderedAddress): Element["key"] {
  return [address, protocol.toLowerCase(), port];
}

/** Deletes or adds the slots of `rendered` that are not the same in `other`, the state before or after. */
function changeSlots(
  layout: FamilyLayout,
  rendered: RenderedAddress | undefined,
  slots: readonly Slot[],
  other: readonly Slot[],
  set: EndpointSet,
  builder: OperationBuilder,
  how: "add" | "delete",
): void {
  if (rendered === undefined) return;
  const { address, port, protocol, sticky } = rendered;
  const { table } = layout;
  const otherIds = sticky ? new Map(other.map((slot) => [slot.id, slot])) : undefined;
  for (const [i, slot] of slots.entries()) {
    const index = { key: [address, port, setOffset[set] + i] };
    if (otherIds === undefined) {
      if (!same(slot, other[i])) builder[how](table, layout.endpoints[protocol], { ...index, value: [slot.ip, slot.port] });
      continue;
    }
    const id = idOffset[set] | slot.id;
    if (other[i]?.id !== slot.id) builder[how](table, layout.endpointIds[protocol], { ...index, value: [id] });
    if (!same(slot, otherIds.get(slot.id)))
      builder[how](table, layout.endpoints[protocol], { key: [address, port, id], value: [slot.ip, slot.port] });
  }
}

function same(slot: Slot, other: Slot | undefined): boolean {
  return other !== undefined && slot.ip === other.ip && slot.port === other.port;
}

/** Whether two Service ports share their endpoints over an update: the same name and protocol. */
export function portKey({ servicePort, protocol }: PortPlan): string {
  return `${servicePort.port}/${protocol}`;
}
