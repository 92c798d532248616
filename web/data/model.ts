/** What the pages read: the objects, what is derived from them, traffic, and the state of the connection. Tells its listeners once a frame. */
import { objectKey, type KubeObject } from "../../src/api/object.ts";
import type { Pod, Service } from "../../src/api/types.ts";
import type { ClusterFacts, Counters, FeedRecord, FollowedKind, Lack } from "../../src/console/wire.ts";
import { podCondition } from "../../src/decide/endpoints/pod-state.ts";
import type { FeedState } from "./feed.ts";
import { noRates, ratesBetween, type Rates } from "./rates.ts";
import { serviceRow, type ServiceRow } from "./service-row.ts";
import { serviceOf, Tables } from "./tables.ts";
import { Timeline } from "./timeline.ts";

export interface ModelOptions {
  /** Calls back soon, with other changes of that time in one. */
  readonly soon: (run: () => void) => void;
  readonly now: () => number;
}

export class Model {
  readonly #options: ModelOptions;
  readonly #listeners = new Set<() => void>();
  readonly #rows = new Map<string, ServiceRow>();
  /** Of the Services that a page has asked about. */
  readonly #timelines = new Map<string, Timeline>();
  #sorted: readonly ServiceRow[] | undefined;
  #scheduled = false;
  #before: Counters | undefined;
  tables = new Tables();
  cluster: ClusterFacts | undefined;
  lacking: readonly Lack[] = [];
  synced = false;
  feed: FeedState = { kind: "connecting" };
  counters: Counters | undefined;
  rates: Rates = noRates;
  /** Grows whenever a page may have to be drawn anew. */
  generation = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  setFeed(state: FeedState): void {
    this.feed = state;
    this.#changed();
  }

  /** A new stream: everything comes again. */
  begin(): void {
    this.tables = new Tables();
    this.#rows.clear();
    this.#sorted = undefined;
    this.synced = false;
    this.#changed();
  }

  take(record: FeedRecord): void {
    switch (record.kind) {
      case "hello":
        this.cluster = record.cluster;
        this.lacking = record.lacking;
        break;
      case "put":
        for (const object of record.objects) {
          const old = this.tables.get(record.of, objectKey(object));
          this.tables.put(record.of, object);
          this.#stale(record.of, object);
          if (old !== undefined) this.#stale(record.of, old);
        }
        break;
      case "gone":
        for (const key of record.keys) {
          const old = this.tables.remove(record.of, key);
          if (old !== undefined) this.#stale(record.of, old);
        }
        break;
      case "synced":
        this.synced = true;
        break;
      case "counters":
        this.#count(record.counters);
        break;
    }
    this.#changed();
  }

  /** Every Service, by key. */
  services(): readonly ServiceRow[] {
    this.#sorted ??= [...this.tables.table("Service").keys()].sort().map((key) => this.service(key) as ServiceRow);
    return this.#sorted;
  }

  service(key: string): ServiceRow | undefined {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const service = this.tables.get<Service>("Service", key);
    if (service === undefined) return undefined;
    const row = serviceRow(service, this.tables.slicesOf(key));
    this.#rows.set(key, row);
    return row;
  }

  /** From the first question on, what becomes of a Service's endpoints is kept. */
  timeline(key: string): Timeline {
    let timeline = this.#timelines.get(key);
    if (timeline === undefined) {
      this.#timelines.set(key, (timeline = new Timeline()));
      this.#see(timeline, key);
    }
    return timeline;
  }

  #see(timeline: Timeline, key: string): void {
    timeline.see(this.service(key)?.endpoints ?? [], this.#options.now(), ({ pod: name, state }) => {
      const pod = name === undefined ? undefined : this.tables.get<Pod>("Pod", name);
      const ready = pod === undefined || state === "terminating" || state === "serving" ? undefined : podCondition(pod, "Ready");
      return ready?.lastTransitionTime === undefined ? undefined : Date.parse(ready.lastTransitionTime);
    });
  }

  #stale(kind: FollowedKind, object: KubeObject): void {
    if (kind !== "Service" && kind !== "EndpointSlice") return;
    const key = kind === "Service" ? objectKey(object) : serviceOf(object);
    this.#rows.delete(key);
    this.#sorted = undefined;
  }

  #count(counters: Counters): void {
    if (this.#before !== undefined) this.rates = ratesBetween(this.#before, counters);
    this.#before = counters;
    this.counters = counters;
  }

  #changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.soon(() => {
      this.#scheduled = false;
      this.generation++;
      for (const [key, timeline] of this.#timelines) this.#see(timeline, key);
      for (const listener of this.#listeners) listener();
    });
  }
}
