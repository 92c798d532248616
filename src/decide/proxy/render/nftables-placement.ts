/**
 * Which endpoint stands at which index of a map. Rules pick an index at random, so the order means nothing: an endpoint that
 * stays keeps its index, and when one leaves, only the last one moves into the gap. A change touches what changed.
 */
import type { PlanEndpoint } from "../plan.ts";
import { hash } from "./hash.ts";

export interface Slot {
  readonly ip: string;
  readonly port: number;
  /** For affinity: the same endpoint has the same id, as long as it is in the set. 24 bits and never 0, which is none. */
  readonly id: number;
  /** Whether it is on this node. */
  readonly local: boolean;
}

/**
 * The slots for `endpoints`, which has no two of one address and port. The present array itself where nothing changes. Ids
 * are given only where they are wanted: most Services have no affinity.
 */
export function place(present: readonly Slot[], endpoints: readonly PlanEndpoint[], ids: boolean): readonly Slot[] {
  const slots = fill(present, endpoints);
  return ids && slots.some(({ id }) => id === 0) ? withIds(slots) : slots;
}

function fill(present: readonly Slot[], endpoints: readonly PlanEndpoint[]): readonly Slot[] {
  if (present.length === 0) return endpoints.map(newSlot);
  if (present.length === endpoints.length && present.every((slot, i) => isAt(slot, endpoints[i] as PlanEndpoint))) return present;
  const wanted = new Map(endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
  const slots: (Slot | undefined)[] = present.map((slot) => {
    const endpoint = wanted.get(keyOf(slot));
    wanted.delete(keyOf(slot));
    return endpoint === undefined ? undefined : { ...slot, local: endpoint.local };
  });
  let gap = 0;
  for (const endpoint of wanted.values()) {
    while (gap < slots.length && slots[gap] !== undefined) gap++;
    slots[gap] = newSlot(endpoint);
  }
  return closeGaps(slots, endpoints.length);
}

function newSlot({ ip, port, local }: PlanEndpoint): Slot {
  return { ip, port, id: 0, local };
}

function closeGaps(slots: (Slot | undefined)[], count: number): readonly Slot[] {
  let last = slots.length - 1;
  for (let i = 0; i < count; i++) {
    if (slots[i] !== undefined) continue;
    while (slots[last] === undefined) last--;
    slots[i] = slots[last];
    slots[last] = undefined;
  }
  return slots.slice(0, count) as Slot[];
}

/** From address and port, so that a restart finds the same; the next free one where two have the same hash. */
function withIds(slots: readonly Slot[]): readonly Slot[] {
  const taken = new Set(slots.map(({ id }) => id));
  return slots.map((slot) => {
    if (slot.id !== 0) return slot;
    let id = hash(`${slot.ip} ${slot.port}`) & 0xff_ffff;
    while (id === 0 || taken.has(id)) id = (id + 1) & 0xff_ffff;
    taken.add(id);
    return { ...slot, id };
  });
}

const keyOf = ({ ip, port }: { readonly ip: string; readonly port: number }) => `${ip} ${port}`;
const isAt = (slot: Slot, { ip, port, local }: PlanEndpoint) => slot.ip === ip && slot.port === port && slot.local === local;
