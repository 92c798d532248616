/** Zones by origin that may be replaced while they are served; tells who wants to know. */
import { buildZone, serialOf, type Zone } from "../../../decide/dns/zone/zone.ts";
import { changesSince, zoneChange, type ZoneChange } from "../../../decide/dns/zone/zone-changes.ts";
import { isNewer } from "../../../decide/dns/zone/serial.ts";
import { recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import type { ChangeSource, ZoneSource } from "../../plugin.ts";

/** Versions of a zone to which a secondary may be behind without fetching all of it. */
const maxVersions = 16;

export class ZoneStore implements ZoneSource {
  readonly #zones = new Map<string, Zone>();
  /** How each became what it is, the oldest first. */
  readonly #changes = new Map<string, readonly ZoneChange[]>();
  readonly #listeners = new Set<(origin: string) => void>();

  readonly origins = (): readonly string[] => [...this.#zones.keys()];

  get(origin: string): Zone | undefined {
    return this.#zones.get(origin);
  }

  serial(origin: string): number | undefined {
    const zone = this.#zones.get(origin);
    return zone === undefined ? undefined : serialOf(zone);
  }

  /** Why not; undefined: it is in use. */
  set(origin: string, records: readonly ResourceRecord[]): string | undefined {
    const built = buildZone(origin, records);
    if (built.kind === "error") return built.reason;
    this.#remember(origin, built.zone);
    this.#zones.set(origin, built.zone);
    for (const listener of this.#listeners) listener(origin);
    return undefined;
  }

  /** A version that is not newer than the last makes what others have of it useless. */
  #remember(origin: string, after: Zone): void {
    const before = this.#zones.get(origin);
    if (before === undefined) return;
    const newer = isNewer(serialOf(after), serialOf(before));
    const known = newer ? [...(this.#changes.get(origin) ?? []), zoneChange(before, after)] : [];
    this.#changes.set(origin, known.slice(-maxVersions));
  }

  changes(origin: string, serial: number): readonly ZoneChange[] | undefined {
    return changesSince(this.#changes.get(origin) ?? [], serial);
  }

  delete(origin: string): void {
    this.#changes.delete(origin);
    if (this.#zones.delete(origin)) for (const listener of this.#listeners) listener(origin);
  }

  records(origin: string): readonly ResourceRecord[] | undefined {
    const zone = this.#zones.get(origin);
    if (zone === undefined) return undefined;
    const apex = zone.nodes.get(origin);
    const servers = apex?.get(recordTypes.NS) ?? [];
    const first = new Set<ResourceRecord>([zone.soa, ...servers]);
    return [zone.soa, ...servers, ...zone.records.filter((record) => !first.has(record) && record.type !== recordTypes.SOA)];
  }

  onChange(listener: (origin: string) => void): () => void {
    // A fresh function each time: two who give the same one are two.
    const own = (origin: string) => listener(origin);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** For answers that were kept: every one of this store's is out of date when a zone changes. */
  readonly answers: ChangeSource = { onChange: (listener) => this.onChange(() => listener(undefined)) };
}
