import fc from "fast-check";
import { expect, test } from "vitest";
import type { Listener, ListenerSection, RouteTable, VirtualHost } from "../../../decide/routes/index.ts";
import type { EngineChange, ListenerTls, ServedCertificate } from "../engine.ts";
import { DeltaReader, DeltaWriter } from "./change-delta.ts";

/** Hosts by name and version: one of the same version is the same object, as the trackers keep it. */
const hosts = new Map<string, VirtualHost>();
function virtualHost(name: string): VirtualHost {
  let host = hosts.get(name);
  if (host === undefined) hosts.set(name, (host = { host: name.split("#")[0] as string, routes: [], ...{ version: name } }));
  return host;
}

const someHosts = fc
  .uniqueArray(fc.record({ host: fc.constantFrom("a", "b", "c", "*"), version: fc.nat(2) }), { selector: ({ host }) => host })
  .map((all) => all.map(({ host, version }) => virtualHost(`${host}#${version}`)));
const section: fc.Arbitrary<ListenerSection> = fc.record({
  name: fc.constantFrom("s1", "s2"),
  host: fc.constantFrom("*", "a"),
  virtualHosts: someHosts,
});
const listener: fc.Arbitrary<Listener> = fc
  .record({
    name: fc.constantFrom("http", "https", "other"),
    virtualHosts: someHosts,
    sections: fc.option(fc.uniqueArray(section, { selector: ({ name }) => name }), { nil: undefined }),
  })
  .map(({ sections, ...rest }) => ({
    ...rest,
    protocol: "HTTP" as const,
    certificates: [],
    ...(sections === undefined ? {} : { sections }),
  }));
const table: fc.Arbitrary<RouteTable> = fc
  .uniqueArray(listener, { selector: ({ name }) => name })
  .map((listeners) => ({ kind: "RouteTable" as const, listeners }));
const certificate: fc.Arbitrary<ServedCertificate> = fc.record({
  host: fc.constantFrom("a", "b", "*"),
  cert: fc.constantFrom("c1", "c2"),
  key: fc.constantFrom("k1", "k2"),
});
const certificates = fc.uniqueArray(certificate, { selector: ({ host }) => host });
const tls = fc
  .uniqueArray(fc.tuple(fc.constantFrom("x", "y"), certificates), { selector: ([name]) => name })
  .map((all) => new Map<string, ListenerTls>(all.map(([name, each]) => [name, { certificates: each }])));
const change: fc.Arbitrary<EngineChange> = fc.record({ routeTable: table, certificates, tls }, { requiredKeys: [] });

/** Of each listener and section the hosts in any order: it means nothing. */
function meaning({ routeTable, certificates: served, tls: own }: EngineChange) {
  const sorted = (all: readonly VirtualHost[]) => all.toSorted((a, b) => (a.host < b.host ? -1 : 1));
  return {
    listeners: routeTable?.listeners.map((each) => ({
      ...each,
      virtualHosts: sorted(each.virtualHosts),
      sections: each.sections?.map((one) => ({ ...one, virtualHosts: sorted(one.virtualHosts) })),
    })),
    served: served?.toSorted((a, b) => (a.host < b.host ? -1 : 1)),
    own: own === undefined ? undefined : [...own].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  };
}

test("after any run of changes the other side has what was published last", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      const [writer, reader] = [new DeltaWriter(), new DeltaReader()];
      for (const each of changes) {
        const crossed = structuredClone(writer.write(each));
        expect(meaning(reader.read(crossed))).toEqual(meaning(each));
      }
    }),
  );
});

test("what did not change does not cross, and stays the same object there", () => {
  const [writer, reader] = [new DeltaWriter(), new DeltaReader()];
  const many = Array.from({ length: 1000 }, (_, index) => virtualHost(`h${index}#0`));
  const of = (virtualHosts: readonly VirtualHost[]): EngineChange => ({
    routeTable: { kind: "RouteTable", listeners: [{ name: "http", protocol: "HTTP", virtualHosts, certificates: [] }] },
  });
  const first = reader.read(structuredClone(writer.write(of(many))));
  const delta = writer.write(of([virtualHost("h0#1"), ...many.slice(1)]));
  expect(JSON.stringify(delta).length).toBeLessThan(300);
  const second = reader.read(structuredClone(delta));
  const hostsOf = (read: EngineChange) => new Map(read.routeTable?.listeners[0]?.virtualHosts.map((each) => [each.host, each]));
  const [before, after] = [hostsOf(first), hostsOf(second)];
  expect([...after].filter(([host, each]) => before.get(host) !== each).map(([host]) => host)).toEqual(["h0"]);
});
