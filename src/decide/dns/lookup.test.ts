import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { recordText } from "../../dns/wire/text.ts";
import { formatIp, parseCidr, parseIp, reverseName } from "../../lib/ip.ts";
import { lookup, MutableDnsIndex, type LookupResult, type LookupZone } from "./index.ts";
import { isDomainName, isWithin, labelsOf, matchZone, withoutZone } from "./name.ts";
import { recordTypes as T } from "./records.ts";
import { addressOfReverse, reverseZones } from "./reverse.ts";

const zone: LookupZone = {
  origin: "cluster.local.",
  primary: "cluster.local.",
  ttl: 30,
  pods: "insecure",
  namespaces: new Set(),
  endpointPodNames: false,
  ignoreEmptyService: false,
  zonal: false,
  localAddresses: ["127.97.255.53"],
};

function service(name: string, spec: Service["spec"], namespace = "shop"): Service {
  return { metadata: { name, namespace }, ...(spec === undefined ? {} : { spec }) };
}

function slice(name: string, of: string, addresses: readonly string[], more: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    metadata: { name, namespace: "shop", labels: { "kubernetes.io/service-name": of } },
    addressType: addresses[0]?.includes(":") ? "IPv6" : "IPv4",
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    ...more,
  };
}

function shop(): MutableDnsIndex {
  const index = new MutableDnsIndex({ now: () => 1_700_000_000_000 });
  index.setNamespace("shop");
  index.setService(service("web", { clusterIP: "10.96.0.7", ports: [{ name: "http", port: 80, protocol: "TCP" }] }));
  index.setService(service("db", { clusterIP: "None", clusterIPs: ["None"] }));
  index.setSlice(slice("db-1", "db", ["10.244.0.5", "10.244.0.6"]));
  return index;
}

function shown(result: LookupResult): readonly string[] {
  return result.kind === "answer" ? result.records.map(recordText) : [`${result.kind} ${result.reason}`];
}

const ask = (index: MutableDnsIndex, name: string, type: number = T.A, options: Partial<LookupZone> = {}) =>
  shown(lookup(index, name, type, { ...zone, ...options }));

describe("an answer says why", () => {
  const index = shop();
  index.setService(service("out", { type: "ExternalName", externalName: "example.org" }));
  index.setService(service("ip", { type: "ExternalName", externalName: "10.1.2.3" }));
  index.setService(service("none", { clusterIP: "None", clusterIPs: ["None"] }));

  test.each([
    ["web.shop.svc.cluster.local.", T.A, "ServiceAddress"],
    ["db.shop.svc.cluster.local.", T.A, "HeadlessEndpoints"],
    ["10-244-0-5.db.shop.svc.cluster.local.", T.A, "Endpoint"],
    ["_http._tcp.web.shop.svc.cluster.local.", T.SRV, "ServicePort"],
    ["out.shop.svc.cluster.local.", T.A, "ExternalName"],
    ["10-0-0-9.shop.pod.cluster.local.", T.A, "PodAddress"],
    ["cluster.local.", T.SOA, "Authority"],
    ["cluster.local.", T.NS, "NameServer"],
    ["dns-version.cluster.local.", T.TXT, "SchemaVersion"],
    ["cluster.local.", T.A, "Apex"],
    ["shop.svc.cluster.local.", T.A, "NamespaceOnly"],
    ["web.shop.svc.cluster.local.", T.AAAA, "OtherType"],
    ["web.shop.svc.cluster.local.", T.MX, "OtherType"],
    ["web.cluster.local.", T.A, "NotInSchema"],
    ["a.b.c.d.svc.cluster.local.", T.A, "NamespaceNotServed"],
    ["web.gone.svc.cluster.local.", T.A, "NamespaceNotServed"],
    ["gone.shop.svc.cluster.local.", T.A, "ServiceNotFound"],
    ["_grpc._tcp.web.shop.svc.cluster.local.", T.SRV, "PortNotFound"],
    ["10-244-0-9.db.shop.svc.cluster.local.", T.A, "EndpointNotFound"],
    ["none.shop.svc.cluster.local.", T.A, "NoReadyEndpoints"],
    ["x.shop.pod.cluster.local.", T.A, "NotAnAddress"],
    ["a.out.shop.svc.cluster.local.", T.A, "ExternalNameHasNoParts"],
    ["ip.shop.svc.cluster.local.", T.A, "ExternalNameIsAddress"],
    ["*.shop.svc.cluster.local.", T.A, "ServiceNotFound"],
  ])("%s %i: %s", (name, type, reason) => {
    expect(lookup(index, name, type, zone).reason).toBe(reason);
  });
});

describe("the index", () => {
  test("shows each change in the next answer", () => {
    const index = shop();
    const name = "db.shop.svc.cluster.local.";
    expect(ask(index, name)).toEqual([`${name} 30 IN A 10.244.0.5`, `${name} 30 IN A 10.244.0.6`]);
    index.setSlice(slice("db-1", "db", ["10.244.0.6"]));
    expect(ask(index, name)).toEqual([`${name} 30 IN A 10.244.0.6`]);
    index.deleteSlice(slice("db-1", "db", []));
    expect(ask(index, name)).toEqual(["nameError NoReadyEndpoints"]);
    index.deleteService(service("db", {}));
    expect(ask(index, name)).toEqual(["nameError ServiceNotFound"]);
    index.deleteNamespace("shop");
    expect(ask(index, name)).toEqual(["nameError NamespaceNotServed"]);
  });

  test("leaves out endpoints that are not ready, and takes unknown as ready", () => {
    const index = shop();
    const endpoints = [
      { addresses: ["10.0.0.1"], conditions: { ready: false } },
      { addresses: ["10.0.0.2"] },
      { addresses: ["10.0.0.3"], conditions: { ready: true } },
    ];
    index.setSlice(slice("db-1", "db", [], { endpoints }));
    expect(ask(index, "db.shop.svc.cluster.local.").length).toBe(2);
  });

  test("counts its generation up with what an answer could show only", () => {
    const index = shop();
    const before = index.generation;
    index.setNamespace("shop");
    index.deleteService(service("unknown", {}));
    index.deletePod({ metadata: { name: "p", namespace: "shop" } });
    expect(index.generation).toBe(before);
    index.setNamespace("other");
    expect(index.generation).toBe(before + 1);
  });

  test("knows pods by their addresses while they run", () => {
    const index = shop();
    const pod = {
      metadata: { name: "p", namespace: "shop" },
      status: { phase: "Running", podIP: "10.244.0.9", podIPs: [{ ip: "10.244.0.9" }, { ip: "fd00::9" }] },
    };
    const name = "10-244-0-9.shop.pod.cluster.local.";
    expect(ask(index, name, T.A, { pods: "verified" })).toEqual(["nameError PodNotFound"]);
    index.setPod(pod);
    expect(ask(index, name, T.A, { pods: "verified" })).toEqual([`${name} 30 IN A 10.244.0.9`]);
    expect(ask(index, "fd00--9.shop.pod.cluster.local.", T.AAAA, { pods: "verified" })).toEqual([
      "fd00--9.shop.pod.cluster.local. 30 IN AAAA fd00::9",
    ]);
    index.setPod({ ...pod, status: { ...pod.status, phase: "Succeeded" } });
    expect(ask(index, name, T.A, { pods: "verified" })).toEqual(["nameError PodNotFound"]);
  });

  test("after any changes is what the objects that are left make of it", () => {
    const change = fc.record({
      name: fc.constantFrom("a", "b"),
      addresses: fc.uniqueArray(fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3")),
      gone: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const index = shop();
        const have = new Map<string, readonly string[]>();
        for (const { name, addresses, gone } of changes) {
          if (gone) index.deleteSlice(slice(name, "db", []));
          else index.setSlice(slice(name, "db", addresses));
          if (gone) have.delete(name);
          else have.set(name, addresses);
        }
        for (const address of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) {
          const expected = [...have].filter(([, addresses]) => addresses.includes(address)).map(([name]) => `shop/${name}`);
          expect([...index.slicesAt(address)].map(({ key }) => key).sort()).toEqual(expected.sort());
        }
      }),
    );
  });
});

describe("ExternalNames", () => {
  const external = (name: string, externalName: string) => service(name, { type: "ExternalName", externalName });

  test("lead to the rest of the cluster here, outside with whoever asked", () => {
    const index = shop();
    index.setService(external("first", "second.shop.svc.cluster.local"));
    index.setService(external("second", "web.shop.svc.cluster.local"));
    expect(ask(index, "first.shop.svc.cluster.local.")).toEqual([
      "first.shop.svc.cluster.local. 30 IN CNAME second.shop.svc.cluster.local.",
      "second.shop.svc.cluster.local. 30 IN CNAME web.shop.svc.cluster.local.",
      "web.shop.svc.cluster.local. 30 IN A 10.96.0.7",
    ]);
    index.setService(external("second", "example.org"));
    expect(lookup(index, "first.shop.svc.cluster.local.", T.AAAA, zone)).toMatchObject({ kind: "answer", follow: "example.org." });
  });

  test("that lead in a circle, or nowhere, are no data", () => {
    const index = shop();
    index.setService(external("a", "b.shop.svc.cluster.local"));
    index.setService(external("b", "a.shop.svc.cluster.local"));
    index.setService(external("self", "self.shop.svc.cluster.local"));
    index.setService(external("lost", "gone.shop.svc.cluster.local"));
    for (const name of ["a", "b", "self", "lost"]) {
      expect(ask(index, `${name}.shop.svc.cluster.local.`)).toEqual(["noData TargetUnresolved"]);
    }
  });
});

describe("reverse lookups", () => {
  test("know Services and endpoints, of every Service that has them", () => {
    const index = shop();
    index.setSlice(slice("db-2", "db2", ["10.244.0.5"]));
    const reverse = { ...zone, origin: "in-addr.arpa." };
    expect(shown(lookup(index, "7.0.96.10.in-addr.arpa.", T.PTR, reverse))).toEqual([
      "7.0.96.10.in-addr.arpa. 30 IN PTR web.shop.svc.cluster.local.",
    ]);
    expect(shown(lookup(index, "5.0.244.10.in-addr.arpa.", T.PTR, reverse)).map((text) => text.split(" ").at(-1))).toEqual([
      "10-244-0-5.db.shop.svc.cluster.local.",
      "10-244-0-5.db2.shop.svc.cluster.local.",
    ]);
    expect(lookup(index, "9.0.96.10.in-addr.arpa.", T.PTR, reverse)).toEqual({ kind: "nameError", reason: "AddressUnknown" });
  });

  test("take apart exactly what reverseName puts together", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const ip = parseIp(text);
        if (ip !== undefined) expect(addressOfReverse(reverseName(ip))).toBe(formatIp(ip));
      }),
    );
  });

  test("zones of a block are cut at octets and nibbles", () => {
    const zones = (text: string) => {
      const cidr = parseCidr(text);
      return cidr === undefined ? undefined : reverseZones(cidr);
    };
    expect(zones("10.0.0.0/15")).toEqual(["0.10.in-addr.arpa.", "1.10.in-addr.arpa."]);
    expect(zones("10.96.0.0/12")?.length).toBe(16);
    expect(zones("10.96.0.0/12")?.at(-1)).toBe("111.10.in-addr.arpa.");
    expect(zones("2001:db8::/31")).toEqual(["8.b.d.0.1.0.0.2.ip6.arpa.", "9.b.d.0.1.0.0.2.ip6.arpa."]);
    expect(zones("0.0.0.0/0")).toEqual(["in-addr.arpa."]);
  });
});

describe("names", () => {
  test("know their labels, escapes and all", () => {
    expect(labelsOf("a\\.b.c.")).toEqual(["a\\.b", "c"]);
    expect(labelsOf(".")).toEqual([]);
    expect(isWithin("example.", "a.example.")).toBe(true);
    expect(isWithin("example.", "aexample.")).toBe(false);
    expect(isWithin("b.c.", "a\\.b.c.")).toBe(false);
    expect(matchZone([".", "example.", "a.example."], "x.a.example.")).toBe("a.example.");
    expect(withoutZone("a.example.", "example.")).toBe("a");
    expect(withoutZone("a.example.", ".")).toBe("a.example");
  });

  test("are bounded", () => {
    expect(isDomainName(`${"a".repeat(63)}.`)).toBe(true);
    expect(isDomainName(`${"a".repeat(64)}.`)).toBe(false);
    expect(isDomainName(`${"a.".repeat(127)}`)).toBe(true);
    expect(isDomainName(`${"a.".repeat(128)}`)).toBe(false);
    expect(["", "..", "a..b.", "\\25.", "\\256."].map(isDomainName)).toEqual([false, false, false, false, false]);
  });
});
