/**
 * CoreDNS's own cases for the kubernetes plugin (shared with whoever works on the project; absent in a clone, then skipped),
 * asked of the pure lookup. Compared as the file says: sections as sets, a TTL of 303 not at all, of SOA only owner, TTL, MNAME.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Pod, Service } from "../../api/types.ts";
import { recordText } from "../../dns/wire/text.ts";
import { parseRecord } from "../../dns/wire/parse-record.ts";
import { authority, lookup, MutableDnsIndex, type LookupZone } from "./index.ts";
import { absolute, foldName, matchZone } from "./name.ts";
import { recordTypes as T, typeCode, type ResourceRecord } from "./records.ts";
import { isReverseName } from "./reverse.ts";
import { parseRequestName } from "./request-name.ts";
import { endpointLabel } from "./find.ts";
import { externalAuthority, lookupExternal } from "./external.ts";
import { lookupSuites } from "./suites.cases.ts";
import { wholeZone } from "./whole-zone.ts";

const path = join(import.meta.dirname, "../../../../shared/cases/coredns-kubernetes-cases.json");

interface Fixture {
  readonly services?: readonly Service[];
  readonly endpointSlices?: readonly EndpointSlice[];
  readonly pods?: readonly Pod[];
}

interface Case {
  readonly qname: string;
  readonly qtype: string;
  readonly rcode: string;
  readonly answer: readonly string[];
  readonly ns: readonly string[];
  readonly extra: readonly string[];
}

interface Options {
  readonly zones?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly pods?: LookupZone["pods"];
  readonly ttl?: number;
  readonly ignoreEmptyService?: boolean;
  readonly zonal?: boolean;
  readonly localIPs?: readonly string[];
}

interface Suite {
  readonly suite: string;
  readonly fixture?: string;
  readonly kind?: string;
  readonly options?: Options;
  readonly cases: readonly (Case & Readonly<Record<string, unknown>>)[];
}

interface File {
  readonly fixtures: Readonly<Record<string, Fixture>>;
  readonly suites: readonly Suite[];
}

/** Suites that this lookup does not cover, and why. */
const left: Readonly<Record<string, string>> = {
  multicluster: "ServiceImports are no objects of this API",
  "all-namespaces": "advisory: upstream drops the comparison's result",
};

/** The clusters of the fixtures have every namespace but two. */
class FixtureIndex extends MutableDnsIndex {
  override hasNamespace(name: string): boolean {
    return name !== "pod-nons" && name !== "nsnoexist" && name !== "svc-nons";
  }
}

function indexOf(fixture: Fixture): MutableDnsIndex {
  const index = new FixtureIndex({ now: () => 1_499_347_823_000 });
  for (const service of fixture.services ?? []) if (service.spec !== undefined) index.setService(service);
  for (const slice of fixture.endpointSlices ?? []) index.setSlice(slice);
  for (const pod of fixture.pods ?? []) index.setPod(pod);
  return index;
}

function zoneOf(options: Options, origin: string): LookupZone {
  const zones = options.zones ?? ["cluster.local."];
  return {
    origin,
    primary: zones.find((zone) => !isReverseName(zone)) ?? "cluster.local.",
    ttl: options.ttl ?? 5,
    pods: options.pods ?? "disabled",
    namespaces: new Set(options.namespaces),
    endpointPodNames: false,
    ignoreEmptyService: options.ignoreEmptyService ?? false,
    zonal: options.zonal ?? false,
    localAddresses: options.localIPs ?? [],
  };
}

function ask(index: MutableDnsIndex, options: Options, { qname, qtype }: Case) {
  const name = absolute(qname);
  const origin = matchZone(options.zones ?? ["cluster.local."], foldName(name)) ?? "cluster.local.";
  const zone = zoneOf(options, origin);
  const result = lookup(index, name, typeCode(qtype) ?? 0, zone);
  const records = result.kind === "answer" ? result.records : [];
  return {
    rcode: result.kind === "nameError" ? "NXDOMAIN" : "NOERROR",
    answer: comparable(records),
    ns: comparable(records.length === 0 ? [authority(index, name, zone)] : []),
    extra: comparable(result.kind === "answer" ? result.additional : []),
  };
}

function comparable(records: readonly ResourceRecord[]): string[] {
  return records.map(recordLine).sort();
}

function recordLine(record: ResourceRecord): string {
  if (record.data.kind === "soa") return `${record.name} SOA ${record.data.mname}`;
  return recordText(record);
}

function expected(lines: readonly string[]): string[] {
  return lines
    .map((line) => {
      const parsed = parseRecord(line);
      return parsed.kind === "ok" ? recordLine(parsed.record) : `${line}: ${parsed.reason}`;
    })
    .sort();
}

const file: File | undefined = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as File) : undefined;
if (file === undefined) console.log("skipped: CoreDNS's cases are not beside this clone");

describe.skipIf(file === undefined)("CoreDNS's cases", () => {
  for (const suite of file?.suites.filter((one) => lookupSuites.includes(one.suite)) ?? []) {
    const options = suite.options ?? {};
    const index = indexOf(file?.fixtures[suite.fixture ?? ""] ?? {});
    test.each(suite.cases.map((one) => [`${one.qname} ${one.qtype}`, one] as const))(`${suite.suite}: %s`, (_, one) => {
      const want = { rcode: one.rcode, answer: expected(one.answer), ns: expected(one.ns), extra: expected(one.extra) };
      expect(ask(index, options, one)).toEqual(want);
    });
  }

  test("a zone is handed over whole, in upstream's order", () => {
    const [axfr] = (file?.suites.find(({ suite }) => suite === "zone-transfer")?.cases ?? []) as unknown as {
      readonly expect_records: string[];
    }[];
    const index = indexOf(file?.fixtures["serve"] ?? {});
    const zone = zoneOf({ localIPs: ["10.0.0.10"], namespaces: ["testns", "kube-system"] }, "cluster.local.");
    const records = wholeZone(index, zone);
    const wanted = (axfr?.expect_records ?? []).slice(0, -1).map((line) => {
      const parsed = parseRecord(line);
      return parsed.kind === "ok" ? recordLine(parsed.record) : line;
    });
    expect(records.map(recordLine)).toEqual(wanted);
  });

  test.each(["k8s_external-external", "k8s_external-apex"])("%s", (name) => {
    const suite = file?.suites.find((one) => one.suite === name);
    const zones = (suite?.options?.zones ?? []) as readonly string[];
    const index = indexOf(file?.fixtures["k8s_external"] ?? {});
    for (const one of suite?.cases ?? []) {
      const asked = absolute(one.qname);
      const origin = matchZone(zones, foldName(asked)) ?? "example.com.";
      const zone = {
        origin,
        primary: zones[0] ?? origin,
        apex: "dns",
        hostmaster: "hostmaster",
        ttl: 5,
        headless: true,
        namespaces: new Set(["testns"]),
        endpointPodNames: false,
        nameServers: ["127.0.0.1"],
      };
      const found = lookupExternal(index, zone, foldName(asked), asked, typeCode(one.qtype) ?? 0);
      const got = {
        rcode: found.kind === "nameError" ? "NXDOMAIN" : "NOERROR",
        answer: comparable(found.answers),
        ns: comparable(found.kind === "answer" ? [] : [externalAuthority(index, zone)]),
        extra: comparable(found.additionals),
      };
      expect(got, `${one.qname} ${one.qtype}`).toEqual({
        rcode: one.rcode,
        answer: expected(one.answer),
        ns: expected(one.ns),
        extra: expected(one.extra),
      });
    }
  });

  test("names are taken apart as upstream does", () => {
    const rows = file?.suites.find(({ suite }) => suite === "parse-request")?.cases ?? [];
    for (const row of rows as unknown as { query: string; expected: string; multicluster: boolean; zonal: boolean; zone: string }[]) {
      if (row.multicluster) continue;
      const relative = row.query === "inter.webs.tests." ? "" : row.query.slice(0, -".inter.webs.tests.".length);
      const name = parseRequestName(relative, row.zonal);
      const shown =
        typeof name === "string"
          ? "......"
          : [name.port, name.protocol, name.endpoint, "", name.service, name.namespace, name.branch].join(".");
      expect(shown, row.query).toBe(row.expected);
      if (typeof name !== "string") expect(name.zone).toBe(row.zone);
    }
  });

  test("endpoints have upstream's labels", () => {
    const rows = file?.suites.find(({ suite }) => suite === "endpoint-hostname")?.cases ?? [];
    for (const row of rows as unknown as { ip: string; hostname: string; podName: string; endpointNameMode: boolean; expected: string }[]) {
      const endpoint = { address: row.ip, hostname: row.hostname, podName: row.podName, zone: "" };
      expect(endpointLabel(endpoint, { endpointPodNames: row.endpointNameMode })).toBe(row.expected);
    }
  });

  test("what is left out has a reason", () => {
    const served =
      file?.suites.filter(
        ({ fixture, kind }) => kind === undefined && (fixture === "serve" || fixture === "zonal" || fixture === "reverse"),
      ) ?? [];
    const missing = served.filter(({ suite, cases }) => cases.length > 0 && !lookupSuites.includes(suite)).map(({ suite }) => suite);
    expect(missing.filter((suite) => left[suite] === undefined)).toEqual([]);
  });

  test("name servers of a zone are those of the Services that this server is an endpoint of", () => {
    const index = indexOf(file?.fixtures["serve"] ?? {});
    const zone = zoneOf({ localIPs: ["172.0.0.100"] }, "cluster.local.");
    const result = lookup(index, "cluster.local.", T.NS, zone);
    expect(result.kind === "answer" ? [...result.records, ...result.additional].map(recordText) : result).toEqual([
      "cluster.local. 5 IN NS kubedns.kube-system.svc.cluster.local.",
      "kubedns.kube-system.svc.cluster.local. 5 IN A 10.0.0.10",
    ]);
  });
});
