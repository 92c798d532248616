/** What the tracker keeps over any run of edits is what it makes from scratch. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Service } from "../../api/types.ts";
import type { GatewayClass, GatewayObject, HttpRoute, ReferenceGrant } from "../../decide/routes/gateway-api/index.ts";
import { assignAddresses } from "./addresses.ts";
import { GatewayTracker, type GatewayChange, type GatewayTable, type TrackerWorld } from "./gateway-tracker.ts";

interface State {
  readonly gateways: Map<string, GatewayObject>;
  readonly routes: Map<string, HttpRoute>;
  readonly services: Set<string>;
  granted: boolean;
}

function worldOf({ services, granted }: State): () => TrackerWorld {
  return () => worldOfNow(services, granted);
}

function worldOfNow(services: ReadonlySet<string>, granted: boolean): TrackerWorld {
  return {
    controllerName: "c",
    gatewayClass: (name) => ({ metadata: { name }, spec: { controllerName: name === "ours" ? "c" : "other" } }) as GatewayClass,
    namespaceLabels: () => ({}),
    service: (namespace, name) =>
      services.has(name) ? ({ metadata: { namespace, name }, spec: { ports: [{ port: 80 }] } } as Service) : undefined,
    secret: () => undefined,
    configMap: () => undefined,
    slices: () => [],
    grants: () =>
      granted
        ? [
            {
              metadata: {},
              spec: {
                from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "a" }],
                to: [{ group: "", kind: "Service" }],
              },
            } as ReferenceGrant,
          ]
        : [],
    backendTlsPolicies: () => [],
    certificateFault: () => undefined,
    bundleFault: () => undefined,
  };
}

let generation = 0;

const gateway = (name: string, hosts: readonly string[], ours: boolean): GatewayObject =>
  ({
    metadata: { namespace: "a", name, uid: name, generation: (generation += 1) },
    spec: {
      gatewayClassName: ours ? "ours" : "theirs",
      listeners: hosts.map((hostname, index) => ({
        name: `l${index}`,
        port: 80,
        protocol: "HTTP",
        ...(hostname === "" ? {} : { hostname }),
      })),
    },
  }) as GatewayObject;

const route = (name: string, parent: string, host: string, path: string, service: string): HttpRoute => ({
  kind: "HTTPRoute",
  metadata: { namespace: "a", name, uid: name, generation: (generation += 1), creationTimestamp: `2026-01-01T00:00:0${name.length}Z` },
  spec: {
    parentRefs: [{ name: parent }],
    ...(host === "" ? {} : { hostnames: [host] }),
    rules: [
      {
        matches: [{ path: { type: "PathPrefix", value: path } }],
        backendRefs: [{ name: service, port: 80, ...(service === "far" ? { namespace: "b" } : {}) }],
      },
    ],
  },
});

/** Without the order of hosts, which says nothing. */
function comparable(table: GatewayTable | undefined): unknown {
  return table?.listeners.map(({ sections = [], ...rest }) => ({
    ...rest,
    sections: sections.map((section) => ({
      ...section,
      virtualHosts: section.virtualHosts.toSorted((x, y) => (x.host < y.host ? -1 : 1)),
    })),
  }));
}

const name = fc.constantFrom("x", "yy", "zzz");
const host = fc.constantFrom("", "a.test", "*.test", "b.c.test");
const step = fc.oneof(
  fc.record({ do: fc.constant("gateway" as const), name, hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 3 }), ours: fc.boolean() }),
  fc.record({ do: fc.constant("no gateway" as const), name }),
  fc.record({
    do: fc.constant("route" as const),
    name,
    parent: name,
    host,
    path: fc.constantFrom("/", "/p", "/q"),
    service: fc.constantFrom("near", "far"),
  }),
  fc.record({ do: fc.constant("no route" as const), name }),
  fc.record({ do: fc.constant("service" as const), service: fc.constantFrom("near", "far") }),
  fc.record({ do: fc.constant("grant" as const) }),
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

test("any run of edits comes to what the last state says by itself", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const state: State = { gateways: new Map(), routes: new Map(), services: new Set(["near"]), granted: false };
      const now = () => worldOf(state)();
      const live = new GatewayTracker({
        ...now(),
        service: (...args) => now().service(...args),
        grants: (...args) => now().grants(...args),
      });
      const tables = new Map<string, GatewayTable | undefined>();
      for (const each of steps) {
        apply(each, state, live);
        for (const [key, table] of (live.work(() => false) as GatewayChange).gateways) tables.set(key, table);
      }
      const fresh = new GatewayTracker(now());
      for (const each of state.gateways.values()) fresh.setGateway(each);
      for (const each of state.routes.values()) fresh.setRoute(each);
      const wanted = (fresh.work(() => false) as GatewayChange).gateways;
      for (const key of new Set([...tables.keys(), ...wanted.keys()]))
        expect(comparable(tables.get(key)), key).toEqual(comparable(wanted.get(key)));
      for (const key of state.routes.keys())
        expect(live.route(`HTTPRoute a/${key}`)?.parents).toEqual(fresh.route(`HTTPRoute a/${key}`)?.parents);
    }),
    { numRuns: 150 },
  );
});

function apply(each: Step, state: State, live: GatewayTracker): void {
  switch (each.do) {
    case "gateway": {
      const made = gateway(each.name, each.hosts, each.ours);
      state.gateways.set(each.name, made);
      return live.setGateway(made);
    }
    case "no gateway": {
      const old = state.gateways.get(each.name);
      state.gateways.delete(each.name);
      return old === undefined ? undefined : live.deleteGateway(old);
    }
    case "route": {
      const made = route(each.name, each.parent, each.host, each.path, each.service);
      state.routes.set(each.name, made);
      return live.setRoute(made);
    }
    case "no route": {
      const old = state.routes.get(each.name);
      state.routes.delete(each.name);
      return old === undefined ? undefined : live.deleteRoute(old);
    }
    case "service": {
      if (!state.services.delete(each.service)) state.services.add(each.service);
      return live.serviceChanged(each.service === "far" ? "b" : "a", each.service);
    }
    case "grant":
      state.granted = !state.granted;
      return live.everythingChanged();
  }
}

test("addresses: what it had, else the first free one; what is asked for where it can be had", () => {
  const pool = { cidr: "127.9.192.0/30" };
  const of = (wanted: readonly string[], before: readonly string[], ...taken: readonly string[]) =>
    assignAddresses(pool, { wanted, before }, new Set(taken));
  expect(of([], [])).toEqual({ addresses: ["127.9.192.1"], unusable: [] });
  expect(of([], ["127.9.192.2"])).toEqual({ addresses: ["127.9.192.2"], unusable: [] });
  expect(of([""], ["127.9.192.2"], "127.9.192.2")).toEqual({ addresses: ["127.9.192.1"], unusable: [] });
  expect(of(["127.9.192.1", "10.0.0.1"], [])).toMatchObject({
    addresses: ["127.9.192.1"],
    unusable: [expect.stringContaining("10.0.0.1 is not in")],
  });
  expect(of(["nonsense"], [])).toMatchObject({ addresses: [], unusable: [expect.stringContaining("no IP address")] });
  expect(assignAddresses({ shared: "0.0.0.0" }, { wanted: [], before: [] }, new Set(["0.0.0.0"]))).toEqual({
    addresses: ["0.0.0.0"],
    unusable: [],
  });
});
