import { beforeEach, describe, expect, test } from "vitest";
import { pods } from "../api/resources.ts";
import type { Pod } from "../api/types.ts";
import { FakeClock } from "../lib/clock.ts";
import { FakeInformer } from "./fake-informer.ts";
import { OwnWrites } from "./own-writes.ts";

let informer: FakeInformer<Pod>;
let own: OwnWrites<Pod>;
let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
  informer = new FakeInformer(pods);
  own = new OwnWrites(informer, clock);
  own.follow();
});

const pod = (name: string, version: number, extra: Partial<Pod["metadata"]> = {}): Pod => ({
  metadata: { name, namespace: "a", uid: `u-${name}`, resourceVersion: String(version), ...extra },
});
const seen = (belongs: (pod: Pod) => boolean = () => true) =>
  own.over(informer.lister.list(), belongs).map(({ metadata: { name, resourceVersion } }) => `${name}@${resourceVersion}`);

describe("creates", () => {
  test("count before the informer shows them, and once afterwards", () => {
    own.wrote(pod("x", 5));
    expect(seen()).toEqual(["x@5"]);
    expect(own.get("a", "x")?.metadata.resourceVersion).toBe("5");
    informer.show(pod("x", 5));
    expect(seen()).toEqual(["x@5"]);
    informer.remove(pod("x", 6));
    expect(seen()).toEqual([]);
  });

  test("an answer that comes after the informer's event is no news", () => {
    informer.show(pod("x", 5));
    informer.remove(pod("x", 6));
    own.wrote(pod("x", 5));
    expect(seen()).toEqual([]);
  });

  test("only what belongs is laid over", () => {
    own.wrote(pod("x", 5));
    expect(seen(({ metadata }) => metadata.name === "y")).toEqual([]);
  });

  test("one that the informer never shows is forgotten", () => {
    own.wrote(pod("x", 5));
    clock.advance(5 * 60_000);
    expect(seen()).toEqual([]);
  });
});

describe("updates", () => {
  beforeEach(() => informer.show(pod("x", 5)));

  test("an older version of the informer does not undo them", () => {
    own.wrote(pod("x", 8));
    informer.show(pod("x", 7));
    expect(seen()).toEqual(["x@8"]);
    informer.show(pod("x", 9));
    expect(seen()).toEqual(["x@9"]);
  });

  test("an update that moves an object away takes it out", () => {
    own.wrote(pod("x", 8, { labels: { moved: "yes" } }));
    expect(seen(({ metadata }) => metadata.labels === undefined)).toEqual([]);
  });

  test("what is assumed holds until any newer version", () => {
    own.assume({ ...pod("x", 5), spec: { containers: [], nodeName: "n" } });
    expect(own.get("a", "x")?.spec?.nodeName).toBe("n");
    informer.show(pod("x", 6));
    expect(own.get("a", "x")?.spec).toBeUndefined();
  });
});

describe("deletes", () => {
  beforeEach(() => informer.show(pod("x", 5)));
  const going = () => own.over(informer.lister.list(), () => true).map(({ metadata }) => metadata.deletionTimestamp !== undefined);

  test("count as terminating at once, whatever else the informer shows before", () => {
    own.deleted(pod("x", 5));
    expect(going()).toEqual([true]);
    informer.show(pod("x", 6));
    expect(going()).toEqual([true]);
    informer.show(pod("x", 7, { deletionTimestamp: "2026-01-01T00:00:00Z" }));
    informer.remove(pod("x", 8));
    expect(going()).toEqual([]);
  });

  test("a new object of the name is not taken for the old one", () => {
    own.deleted(pod("x", 5));
    informer.remove(pod("x", 6));
    informer.show(pod("x", 7, { uid: "other" }));
    expect(going()).toEqual([false]);
  });

  test("one that is gone already needs no record", () => {
    informer.remove(pod("x", 6));
    own.deleted(pod("x", 5));
    expect(own.get("a", "x")).toBeUndefined();
  });
});
