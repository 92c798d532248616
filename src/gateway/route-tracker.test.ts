import fc from "fast-check";
import { expect, test } from "vitest";
import type { EndpointSlice, Ingress, IngressClass, Service } from "../api/types.ts";
import { belongsTo, processors, resolveBackend, type Backend, type Listener, type ObjectStatus } from "../decide/routes/index.ts";
import { ingress, path, testPolicy } from "../decide/routes/testing.ts";
import { RouteTracker } from "./route-tracker.ts";

interface World {
  readonly ingresses: Map<string, Ingress>;
  readonly services: Map<string, Service>;
  readonly slices: Map<string, EndpointSlice>;
  classes: readonly IngressClass[];
}

type Step =
  | {
      readonly kind: "ingress";
      readonly name: string;
      readonly host: string;
      readonly text: string;
      readonly service: string;
      readonly tls: boolean;
      readonly className: string;
      readonly age: number;
    }
  | { readonly kind: "delete"; readonly name: string }
  | { readonly kind: "service"; readonly name: string; readonly port: number }
  | { readonly kind: "slice"; readonly name: string; readonly ready: boolean; readonly ip: string }
  | { readonly kind: "class"; readonly ours: boolean };

const names = fc.constantFrom("a", "b", "c");
const service = fc.constantFrom("s", "t");
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("ingress" as const),
    name: names,
    host: fc.constantFrom("x.test", "*.test", ""),
    text: fc.constantFrom("/", "/p", "bad"),
    service,
    tls: fc.boolean(),
    className: fc.constantFrom("", "nginx", "mine"),
    age: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant("delete" as const), name: names }),
  fc.record({ kind: fc.constant("service" as const), name: service, port: fc.constantFrom(80, 81) }),
  fc.record({ kind: fc.constant("slice" as const), name: service, ready: fc.boolean(), ip: fc.constantFrom("10.0.0.1", "10.0.0.2") }),
  fc.record({ kind: fc.constant("class" as const), ours: fc.boolean() }),
);

function apply(world: World, tracker: RouteTracker, each: Step): void {
  switch (each.kind) {
    case "ingress": {
      const object = ingress(
        each.name,
        {
          ...(each.className === "" ? {} : { ingressClassName: each.className }),
          rules: [{ ...(each.host === "" ? {} : { host: each.host }), http: { paths: [path(each.text, "Prefix", each.service)] } }],
          ...(each.tls ? { tls: [{ hosts: ["x.test"], secretName: each.name }] } : {}),
        },
        { creationTimestamp: `2026-01-0${each.age}T00:00:00Z` },
      );
      world.ingresses.set(each.name, object);
      return tracker.setIngress(object);
    }
    case "delete": {
      const object = world.ingresses.get(each.name);
      world.ingresses.delete(each.name);
      return object === undefined ? undefined : tracker.deleteIngress(object);
    }
    case "service":
      world.services.set(each.name, { metadata: { namespace: "default", name: each.name }, spec: { ports: [{ port: each.port }] } });
      return tracker.serviceChanged("default", each.name);
    case "slice":
      world.slices.set(each.name, {
        metadata: { namespace: "default", name: each.name, labels: { "kubernetes.io/service-name": each.name } },
        addressType: "IPv4",
        endpoints: [{ addresses: [each.ip], conditions: { ready: each.ready } }],
        ports: [{ port: 8080 }],
      });
      return tracker.serviceChanged("default", each.name);
    case "class":
      world.classes = [{ metadata: { name: "mine" }, spec: { controller: each.ours ? testPolicy.controller : "example.com/x" } }];
      return tracker.classesChanged();
  }
}

const sorted = (listener: Listener | undefined) => ({
  hosts: listener?.virtualHosts.toSorted((a, b) => (a.host < b.host ? -1 : 1)),
  certificates: listener?.certificates,
});
const comparable = (status: ObjectStatus) => ({
  ...status,
  problems: status.problems.map((problem) => JSON.stringify(problem)).toSorted(),
});

test("after any run of changes, however they were gathered: what is worked out from scratch", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 25 }), (steps) => {
      const world: World = { ingresses: new Map(), services: new Map(), slices: new Map(), classes: [] };
      const tracker = new RouteTracker({
        policy: testPolicy,
        classes: () => world.classes,
        service: (_namespace, name) => world.services.get(name),
        slices: (namespace, name) => [...world.slices.values()].filter((slice) => belongsTo(slice, { namespace, name })),
      });
      const published = new Map<string, Backend>();
      for (const [each, flush] of [...steps, [{ kind: "delete", name: "none" } as Step, true] as const]) {
        apply(world, tracker, each);
        if (!flush) continue;
        for (const [key, backend] of tracker.flush().backends) {
          if (backend === null) published.delete(key);
          else published.set(key, backend);
        }
      }
      const objects = {
        ingresses: [...world.ingresses.values()],
        ingressClasses: world.classes,
        services: [...world.services.values()],
        endpointSlices: [...world.slices.values()],
      };
      const { routeTable, statuses } = processors(objects, testPolicy);
      for (const at of [0, 1]) expect(sorted(tracker.table().listeners[at])).toEqual(sorted(routeTable.listeners[at]));
      for (const status of statuses)
        expect(comparable(tracker.status(`default/${status.name}`) as ObjectStatus)).toEqual(comparable(status));
      expect([...tracker.keys()].toSorted()).toEqual(statuses.map(({ name }) => `default/${name}`).toSorted());
      const refs = routeTable.listeners[0]?.virtualHosts.flatMap(({ routes }) => routes.flatMap(({ backends }) => backends)) ?? [];
      for (const ref of refs) {
        const slices = objects.endpointSlices.filter((slice) => belongsTo(slice, ref));
        expect(published.get(`default/${ref.name}:80`)).toEqual(resolveBackend(ref, world.services.get(ref.name), slices));
      }
    }),
    { numRuns: 300 },
  );
});

test("a change of one Ingress leaves the other hosts' objects as they were", () => {
  const tracker = new RouteTracker({ policy: testPolicy, classes: () => [], service: () => undefined, slices: () => [] });
  const of = (name: string, host: string, text: string) => ingress(name, { rules: [{ host, http: { paths: [path(text, "Prefix")] } }] });
  tracker.setIngress(of("a", "a.test", "/"));
  tracker.setIngress(of("b", "b.test", "/"));
  const hosts = (change: ReturnType<RouteTracker["flush"]>) =>
    new Map(change.routeTable?.listeners[0]?.virtualHosts.map((each) => [each.host, each]));
  const before = hosts(tracker.flush());
  tracker.setIngress(of("a", "a.test", "/changed"));
  const after = hosts(tracker.flush());
  expect(after.get("b.test")).toBe(before.get("b.test"));
  expect(after.get("a.test")).not.toBe(before.get("a.test"));
  expect(tracker.flush().routeTable).toBeUndefined();
});
