/** The suites of `plugin/file` that `plugins/cases.test.ts` does not ask, and what the server makes of its blocks. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { rcodeName, typeCode } from "../../decide/dns/records.ts";
import { FakeClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { configure, type Configuration } from "../corefile/configure.ts";
import { systemSources } from "../corefile/sources.ts";
import { failure } from "../plugin.ts";
import { pluginList, unsupportedDirectives } from "../plugins.ts";
import { rig } from "../plugins/plugin-rig.cases.ts";
import { SharedHttpEndpoints } from "../server/http-endpoints.ts";
import { noWatch } from "../server/query-watch.ts";
import type { Message } from "../wire/message.ts";
import { caseFile, flagsOf, sides, type Case, type Suite } from "./rows.cases.ts";

const folder = mkdtempSync(join(tmpdir(), "fairlead-zone-cases-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** A zone of the file by its name in upstream's test; undefined when it is in the part that is not shared. */
function zoneBlock(name: string, origin: string, options = ""): string | undefined {
  const text = caseFile?.zoneTexts[`file:${name}`];
  if (text === undefined) return undefined;
  writeFileSync(join(folder, name), text);
  return `file ${join(folder, name)} ${origin} {\n${options}\n}`;
}

async function askZone(block: string, name: string, type: string, options: Partial<Message> = {}): Promise<Message | undefined> {
  const { ask, stop } = await rig(block, () => failure(2));
  const message = await ask(name, type, options);
  await stop();
  return message;
}

const notShared = { unasked: "its zone is in the part of the file that is not shared" } as const;

function expectSections(message: Message | undefined, answer: readonly string[], ns: readonly string[], extra: readonly string[]): void {
  for (const [got, wanted] of [
    [message?.answers, answer],
    [message?.authorities, ns],
    [message?.additionals, extra],
  ] as const) {
    const [ours, theirs] = sides(got, wanted);
    expect(ours).toEqual(theirs);
  }
}

interface Alias {
  readonly qname: string;
  readonly qtype: string;
  readonly answer?: readonly string[];
  readonly authority?: readonly string[];
  readonly additional?: readonly string[];
  readonly authoritative: boolean;
}

const alias: Suite<Alias> = async (row) => {
  const block = zoneBlock("dbAliasDelegation", "example.org.");
  if (block === undefined) return notShared;
  const message = await askZone(block, row.qname, row.qtype);
  expectSections(message, row.answer ?? [], row.authority ?? [], row.additional ?? []);
  expect(message?.authoritative).toBe(row.authoritative);
};

const zoned =
  (name: string, origin: string): Suite<Case> =>
  async (row) => {
    const block = zoneBlock(name, origin);
    if (block === undefined) return notShared;
    const message = await askZone(block, row.qname, row.qtype, flagsOf(row));
    expect(rcodeName(message?.rcode ?? -1)).toBe(row.rcode);
    expectSections(message, row.answer, row.ns, row.extra);
  };

/** Upstream asks the zone past the plugin: only that there is no data. */
const noData: Suite<Case> = async (row) => {
  const block = zoneBlock("dbMiekNL", "miek.nl.");
  if (block === undefined) return notShared;
  const message = await askZone(block, row.qname, row.qtype);
  expect(rcodeName(message?.rcode ?? -1)).toBe("NOERROR");
  expect(message?.answers).toEqual([]);
};

const fallsThrough: Suite<{ Fall: readonly string[] | { readonly Zones: readonly string[] }; Cases: readonly Case[] }> = async (row) => {
  const block = zoneBlock("dbMiekNL", "miek.nl.", `fallthrough ${("Zones" in row.Fall ? row.Fall.Zones : row.Fall).join(" ")}`);
  if (block === undefined) return notShared;
  for (const { qname, qtype, rcode } of row.Cases) expect(rcodeName((await askZone(block, qname, qtype))?.rcode ?? -1), qname).toBe(rcode);
};

/** The zone of upstream's `test/file_loop_test.go`, which the file has not. */
const circles = `example.com. 500 IN SOA ns1.outside.com. root.example.com. 3 604800 86400 2419200 604800
example.com. 500 IN NS ns1.outside.com.
redirect.example.com. 500 IN DNAME target.example.com.
www.target.example.com. 500 IN A 192.0.2.1
*.foo.example.com. 500 IN CNAME bar.foo.example.com.
a.example.com. 500 IN CNAME b.example.com.
alias.example.com. 500 IN DNAME alias.example.com.
`;

const loops: Suite<{ qname: string; wantRcode: string; wantAnswerTypes: readonly string[] | null; checkAnswer: boolean }> = async (row) => {
  writeFileSync(join(folder, "circles"), circles);
  const message = await askZone(`file ${join(folder, "circles")} example.com`, row.qname, "A");
  expect(rcodeName(message?.rcode ?? -1)).toBe(row.wantRcode);
  if (row.checkAnswer) expect(message?.answers.map(({ type }) => type)).toEqual((row.wantAnswerTypes ?? []).map((name) => typeCode(name)));
};

function configured(text: string): Configuration {
  const environment = {
    clock: new FakeClock(),
    log: silentLogger,
    metrics: new MetricsRegistry(),
    random: () => 0.5,
    sources: systemSources,
    http: new SharedHttpEndpoints(),
    watch: noWatch,
    checkCorefile: () => undefined,
  };
  return configure({
    text,
    file: "Corefile",
    plugins: pluginList({ kubernetes: undefined }),
    unsupported: unsupportedDirectives,
    environment,
    hosts: () => [],
  });
}

interface ServerConfig {
  readonly ListenHosts: readonly string[];
  readonly Port: string;
  readonly Transport: string;
  readonly Zone: string;
}

const blockFor = ({ ListenHosts: hosts, Port: port, Transport: transport, Zone: zone }: ServerConfig): string =>
  `${transport}://${zone}:${port} {\n${hosts.filter((host) => host !== "").length > 0 ? `bind ${hosts.join(" ")}` : ""}\n}`;

const groups: Suite<{ configs: readonly ServerConfig[]; expectedGroups: readonly string[]; failing: boolean }> = (row) => {
  const made = configured(row.configs.map(blockFor).join("\n")).servers.map(({ label }) => label);
  expect(made.toSorted()).toEqual(row.expectedGroups.toSorted());
};

interface Step {
  readonly overlap: boolean;
  readonly same: boolean;
  readonly zone: { readonly Address: string; readonly Port: string; readonly Transport: string; readonly Zone: string };
}

/** Each block of the sequence beside those before it: neither the same address and zone twice, nor one within another's reach. */
const overlaps: Suite<{ sequence: readonly Step[] }> = ({ sequence }) => {
  const taken: string[] = [];
  for (const { same, overlap, zone } of sequence) {
    const block = blockFor({ ...zone, ListenHosts: [zone.Address] });
    const outcome = () => configured([...taken, block].join("\n"));
    if (same || overlap) expect(outcome, block).toThrow(/cannot serve/);
    else {
      expect(outcome, block).not.toThrow();
      taken.push(block);
    }
  }
};

export const zoneSuites = {
  "file TestAliasToDelegation tests": alias,
  "file - delegationTestCases": zoned("dbMiekNLDelegation", "miek.nl."),
  "file - secureDelegationTestCases": zoned("exampleOrgSigned", "example.org."),
  "file TestLookUpNoDataResult noDataTestCases": noData,
  "file TestLookupFallthrough fallsWithTestCases": fallsThrough,
  "integration test/ dsTestCases": zoned("dbMiekNL", "miek.nl."),
  "integration test/ - dsTestCases": zoned("dbMiekNL", "miek.nl."),
  "integration test/ TestFileLoop tests": loops,
  "core/dnsserver TestGroupingServers range": groups,
  "core/dnsserver TestOverlapAddressChecker range": overlaps,
};
