/** The suites of plugins that answer from a file or from nothing: `hosts`, `loadbalance`, `template`, `whoami`, `chaos`, … */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { foldName } from "../../decide/dns/name.ts";
import { rcodeName, rcodes, recordTypes, typeCode, type ResourceRecord } from "../../decide/dns/records.ts";
import { parseCidr, parseIp } from "../../lib/ip.ts";
import { failure, reply } from "../plugin.ts";
import { preferring, weighting } from "../plugins/loadbalance/handler.ts";
import { parseWeights } from "../plugins/loadbalance/weights.ts";
import { HostsTable } from "../plugins/hosts/table.ts";
import { isLabel } from "../plugins/metadata/setup.ts";
import { rig } from "../plugins/plugin-rig.cases.ts";
import { createReply, type Message } from "../wire/message.ts";
import { dataText } from "../wire/text.ts";
import { caseFile, flagsOf, questionOf, record, rowsOf, saying, sides, type Case, type Suite } from "./rows.cases.ts";

const folder = mkdtempSync(join(tmpdir(), "fairlead-plugin-cases-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function written(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const hostsText = () => caseFile?.zoneTexts["hosts:hostsExample"] ?? "";

const fromHosts: Suite<Case> = async (row) => {
  if (!hostsText().split(/\s+/).includes(row.qname.replace(/\.$/, "")))
    return { unasked: "upstream compares nothing where the file has no such name: `if resp := rec.Msg; rec.Msg != nil`" };
  const { ask, stop } = await rig(`hosts ${written("hosts", hostsText())} {\nfallthrough\n}`, saying({}));
  const message = await ask(row.qname, row.qtype, flagsOf(row));
  await stop();
  expect(rcodeName(message?.rcode ?? -1)).toBe(row.rcode);
  const [got, wanted] = sides(message?.answers, row.answer);
  expect(got).toEqual(wanted);
  expect(message?.authorities).toEqual([]);
};

interface Fall {
  readonly fall: readonly string[] | { readonly Zones: readonly string[] };
  readonly unsupported?: boolean;
  readonly qname: string;
  readonly expectFallthrough?: boolean;
}

const throughHosts: Suite<Fall> = async ({ fall, unsupported, qname, expectFallthrough }) => {
  const zones = ("Zones" in fall ? fall.Zones : fall).join(" ");
  const options = `fallthrough ${zones}\n${unsupported === true ? "fallthrough_unsupported" : ""}`;
  const { ask, stop, asked } = await rig(`hosts ${written("hosts", hostsText())} {\n${options}\n}`, () => failure(rcodes.REFUSED));
  const message = await ask(qname, "TXT");
  await stop();
  expect(asked() === 1).toBe(expectFallthrough === true);
  expect(message?.rcode).toBe(expectFallthrough === true ? rcodes.REFUSED : rcodes.NOERROR);
};

interface Entry {
  readonly in: string;
  readonly v4?: readonly string[];
  readonly v6?: readonly string[];
  readonly out?: readonly string[];
}

const addressesOf = (table: HostsTable, name: string) => {
  const found = table.addresses(foldName(name));
  return { v4: found.filter((one) => !one.includes(":")), v6: found.filter((one) => one.includes(":")) };
};

const staticHosts: Suite<{ file: string; ents: Entry[] }> = ({ file, ents }) => {
  const table = HostsTable.parse(file, true);
  for (const { in: name, v4, v6 } of ents) expect(addressesOf(table, name), name).toEqual({ v4, v6 });
};

const staticAddresses: Suite<{ file: string; ents: Entry[] }> = ({ file, ents }) => {
  const table = HostsTable.parse(file, true);
  for (const { in: address, out } of ents) expect(table.names(address), address).toEqual(out);
};

/** The lines of upstream's test. */
const wildcards = `
127.0.0.53 *.example.org
127.0.1.52 *.intern.example.org
127.0.0.54 foo.example.org
192.168.33.10 *.example.com
192.168.33.11 a.example.com
192.168.33.12 b.example.com
`;

const wildcardHosts: Suite<Entry> = ({ in: name, v4, v6 }) => {
  expect(addressesOf(HostsTable.parse(wildcards, true), name)).toEqual({ v4, v6 });
};

const kinds: readonly (readonly number[])[] = [[recordTypes.CNAME], [recordTypes.A, recordTypes.AAAA], [recordTypes.MX]];
const kindOf = ({ type }: ResourceRecord): number => kinds.findIndex((types) => types.includes(type));

/** How many aliases, addresses and mail exchangers, and whether they stand in this order. */
function counted(records: readonly ResourceRecord[] = []) {
  const found = records.map(kindOf);
  const of = (kind: number) => found.filter((one) => one === kind).length;
  const isSorted = found.every((kind, i) => i === 0 || kind >= (found[i - 1] ?? 0));
  return { cname: of(0), address: of(1), mx: of(2), isSorted };
}

interface Balanced {
  readonly answer?: readonly string[];
  readonly extra?: readonly string[];
  readonly cnameAnswer?: number;
  readonly addressAnswer?: number;
  readonly mxAnswer?: number;
  readonly cnameExtra?: number;
  readonly addressExtra?: number;
  readonly mxExtra?: number;
}

const balanced: Suite<Balanced> = async (row) => {
  const parts = { answers: (row.answer ?? []).map(record), additionals: (row.extra ?? []).map(record) };
  const message = await (await rig("loadbalance", saying(parts))).ask("region2.skydns.test.", "SRV");
  const { cnameAnswer: cname = 0, addressAnswer: address = 0, mxAnswer: mx = 0 } = row;
  expect(counted(message?.answers)).toEqual({ cname, address, mx, isSorted: true });
  const extra = { cname: row.cnameExtra ?? 0, address: row.addressExtra ?? 0, mx: row.mxExtra ?? 0 };
  expect(counted(message?.additionals)).toEqual({ ...extra, isSorted: true });
};

const preferred: Suite<string> = (value, all) => {
  const blocks = rowsOf<string>(all, "loadbalance TestSortPreferred cidrs").flatMap((text) => parseCidr(text) ?? []);
  const records = rowsOf<string>(all, "loadbalance TestSortPreferred records").map(record);
  const order = rowsOf<string>(all, "loadbalance TestSortPreferred expectedOrder");
  const sorted = preferring(
    blocks,
    (same) => same,
  )(records.filter(({ type }) => type !== recordTypes.CNAME)).map(({ data }) => dataText(data));
  const present = ["alias.example.org.", ...sorted];
  if (!present.includes(value)) return { unasked: "its record is in the part of the table that is not shared" };
  const before = (list: readonly string[]) => list.slice(0, list.indexOf(value)).filter((one) => list === order || order.includes(one));
  expect(before(present)).toEqual(before(order).filter((one) => present.includes(one)));
};

type Domains = Readonly<Record<string, readonly (readonly [string, { readonly args: readonly [number] }])[]>>;

interface WeightFile {
  readonly weightFilContent: string;
  readonly shouldErr: boolean;
  readonly expectedErrContent: string;
  readonly expectedDomains: Domains | null;
}

const weightFile: Suite<WeightFile> = (row) => {
  const parsed = parseWeights(row.weightFilContent);
  expect(parsed.kind, parsed.kind === "error" ? parsed.reason : "").toBe(row.shouldErr ? "error" : "ok");
  if (parsed.kind === "error") {
    expect(parsed.reason.toLowerCase()).toContain(row.expectedErrContent.toLowerCase());
    return;
  }
  const shown = Object.fromEntries([...parsed.weights].map(([name, weights]) => [name, Object.fromEntries(weights)]));
  expect(shown).toEqual(weightsOf(row.expectedDomains ?? {}));
};

const weightsOf = (domains: Domains): Readonly<Record<string, Readonly<Record<string, number>>>> =>
  Object.fromEntries(
    Object.entries(domains).map(([name, list]) => [
      name,
      Object.fromEntries((Array.isArray(list) ? list : []).map(([address, { args }]) => [address, args[0]])),
    ]),
  );

type Weighted = Balanced & {
  readonly domains: Domains;
  readonly queries: readonly { readonly topIP: string }[];
  readonly sumWeights?: number;
};

/**
 * Upstream draws a number below the sum of the weights and goes through the addresses by weight, we in the order of the answer: each of
 * the numbers gives another address, but each address has as many of them.
 */
const weighted: Suite<Weighted> = (row) => {
  const weights = new Map(Object.entries(weightsOf(row.domains)).map(([name, one]) => [name, new Map(Object.entries(one))]));
  const addresses = (row.answer ?? []).map(record).filter(({ data }) => data.kind === "address");
  for (const { topIP } of row.queries) {
    if (topIP === "") continue;
    const owner = addresses.find(({ data }) => dataText(data) === topIP)?.name;
    const same = addresses.filter(({ name }) => name === owner);
    const known = weights.get(foldName(owner ?? ""));
    const weightOf = (one: ResourceRecord) => known?.get(dataText(one.data)) ?? 1;
    const sum = same.reduce((total, one) => total + weightOf(one), 0);
    const first = (drawn: number) =>
      weighting(
        () => weights,
        () => (drawn + 0.5) / sum,
      )(same)[0];
    const draws = Array.from({ length: sum }, (_, drawn) => dataText((first(drawn) ?? same[0] ?? fail()).data));
    if (known !== undefined) expect(draws.filter((one) => one === topIP).length, topIP).toBe(known.get(topIP) ?? 1);
  }
};

function fail(): never {
  throw new Error("no address");
}

interface TemplateRow {
  readonly tmpl: Readonly<Record<string, unknown>>;
  readonly qname: string;
  readonly qtype?: string;
  readonly qclass?: string;
  readonly expectedCode?: string | number;
  readonly expectedErr?: string;
  readonly md?: Readonly<Record<string, string>>;
}

const called = (value: unknown): string => {
  const { args = [] } = value as { readonly args?: readonly unknown[] };
  const last = args.at(-1);
  return typeof last === "string" ? last : called(last);
};

/** The template's Go value as the block of a Corefile that makes it. */
function blockOf(tmpl: TemplateRow["tmpl"]): string {
  const list = (name: string) => ((tmpl[name] as readonly unknown[] | undefined) ?? []).map(called);
  const quoted = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const lines = [
    ...list("regex").map((pattern) => `match ${quoted(pattern).replaceAll("\\\\", "\\")}`),
    ...["answer", "additional", "authority"].flatMap((name) => list(name).map((text) => `${name} ${quoted(text)}`)),
    ...(typeof tmpl["rcode"] === "string" ? [`rcode ${tmpl["rcode"]}`] : []),
    ...(tmpl["fall"] === undefined ? [] : ["fallthrough"]),
  ];
  const zoneClass = { INET: "IN", CHAOS: "CH" }[String(tmpl["qclass"])] ?? "ANY";
  return `template ${zoneClass} ${String(tmpl["qtype"])} . {\n${lines.join("\n")}\n}`;
}

const templated: Suite<TemplateRow> = async (row) => {
  if (row.md !== undefined) return { unasked: "a label of a plugin that only upstream's test has" };
  const { ask, asked } = await rig(blockOf(row.tmpl), () => failure(rcodes.REFUSED));
  const message = await ask(row.qname, row.qtype ?? "A", {}, { address: "10.240.0.1" });
  if (row.expectedCode === 3841) {
    expect(asked()).toBe(1);
    return;
  }
  expect(rcodeName(message?.rcode ?? -1)).toBe(String(row.expectedCode ?? "NOERROR"));
  if (row.expectedErr !== undefined) expect(message?.answers).toEqual([]);
  else if (row.expectedCode === undefined) expect(message?.answers.length).toBeGreaterThan(0);
};

const matched: Suite<{ config: string; qname: string; expectedFthrough?: boolean }> = async (row) => {
  const { ask, asked } = await rig(row.config, () => failure(rcodes.REFUSED));
  await ask(row.qname);
  expect(asked() === 1).toBe(row.expectedFthrough === true);
};

const whoami: Suite<{ qname: string; qtype: string; remote?: string; expectedCode: string; expectedReply: string[] }> = async (row) => {
  const address = row.remote?.replace(/\/\d+$/, "");
  const { ask } = await rig("whoami");
  const message = await ask(`${row.qname}.`, row.qtype, {}, address === undefined ? {} : { address });
  expect(rcodeName(message?.rcode ?? -1)).toBe(row.expectedCode);
  expect(message?.additionals.map(({ name }) => name)).toEqual(row.expectedReply);
};

const chaos: Suite<{ qname: string; qtype?: string; expectedCode: string; expectedReply?: string }> = async (row) => {
  const name = `${row.qname}.`;
  const type = row.qtype ?? "TXT";
  const { ask } = await rig('chaos CoreDNS-001 "Miek Gieben"', saying({}));
  const message = await ask(name, type, { questions: questionOf(name, type, "CHAOS") });
  expect(rcodeName(message?.rcode ?? -1)).toBe(row.expectedCode);
  if (row.expectedReply !== undefined) expect(message?.answers.map(({ data }) => dataText(data))).toEqual([`"${row.expectedReply}"`]);
};

const notAny: Suite<{ qtype: string }> = async ({ qtype }) => {
  const { ask, asked } = await rig("any", saying({}));
  await ask("example.org.", qtype);
  expect(asked()).toBe(1);
};

const minimal: Suite<{ original?: Case; minimal: Case }> = async (row, all) => {
  const { original } = row;
  if (original === undefined) return { unasked: "the message is a Go value that is not in the file" };
  const section = (value: unknown, name: string) =>
    Array.isArray(value) ? (value as string[]) : rowsOf<string>(all, `minimal TestMinimizeResponse ${name}`);
  const code = Number(original.rcode);
  const parts = {
    rcode: Number.isNaN(code) ? rcodes[original.rcode as keyof typeof rcodes] : code,
    answers: section(original.answer, "baseAnswer").map(record),
    authorities: section(original.ns, "baseNs").map(record),
    additionals: section(original.extra, "baseExtra").map(record),
  };
  const message = await (await rig("minimal", saying(parts))).ask("example.com.");
  const wanted = [section(row.minimal.answer, "baseAnswer"), section(row.minimal.ns, "baseNs"), section(row.minimal.extra, "baseExtra")];
  expect([message?.answers.length, message?.authorities.length, message?.additionals.length]).toEqual(wanted.map((one) => one.length));
};

const flags: Readonly<Record<string, readonly [string, keyof Message]>> = {
  recursionAvailable: ["ra", "recursionAvailable"],
  recursionDesired: ["rd", "recursionDesired"],
  authoritative: ["aa", "authoritative"],
};

interface HeaderRow {
  readonly expected: boolean;
  readonly handler: Readonly<
    Record<"ResponseRules" | "QueryRules", readonly { readonly Flag: { readonly ref: string }; readonly State: boolean }[]>
  >;
}

const header =
  (side: "response" | "query"): Suite<HeaderRow> =>
  async ({ expected, handler }) => {
    for (const rule of handler[side === "query" ? "QueryRules" : "ResponseRules"] ?? []) {
      const [word, property] = flags[rule.Flag.ref] ?? fail();
      let seen: Message | undefined;
      const { ask } = await rig(`header {\n${side} ${rule.State ? "set" : "clear"} ${word}\n}`, ({ message }) => {
        seen = message;
        return reply("backend", { ...createReply(message, {}), [property]: !rule.State });
      });
      const message = await ask("example.org.", "A", { [property]: !rule.State });
      expect((side === "query" ? seen : message)?.[property]).toBe(expected);
    }
  };

const filtered: Suite<{ expr: string; expected: boolean }> = async ({ expr, expected }) => {
  const { ask, asked } = await rig(`view one {\nexpr ${expr}\n}`, saying({}));
  await ask("example.com.");
  expect(asked() === 1).toBe(expected);
};

const label: Suite<{ label: string; isValid: boolean }> = (row) => {
  expect(isLabel(row.label)).toBe(row.isValid);
};

const intercepts: Suite<{ allowIpv4: boolean; msg: { args: string[] }; remoteIP: string; want: boolean }> = async (row) => {
  const [name = "", type = "AAAA"] = row.msg.args;
  const { ask, asked } = await rig(`dns64 {\n${row.allowIpv4 ? "allow_ipv4" : ""}\n}`, saying({}));
  await ask(`${name}.`, type, {}, { address: row.remoteIP });
  // One question more, for the addresses of version 4.
  expect(asked() === 2).toBe(row.want);
  expect(parseIp(row.remoteIP)).toBeDefined();
};

const synthesizes: Suite<{
  expected: boolean;
  translateAll?: boolean;
  resp: { MsgHdr: { Rcode: string }; Answer?: string[]; Ns?: string[] };
}> = async (row) => {
  const parts = {
    rcode: rcodes[row.resp.MsgHdr.Rcode as keyof typeof rcodes],
    answers: (row.resp.Answer ?? []).map(record),
    authorities: (row.resp.Ns ?? []).map(record),
  };
  const { ask, asked } = await rig(`dns64 {\n${row.translateAll === true ? "translate_all" : ""}\n}`, saying(parts));
  await ask("example.com.", "AAAA", {}, { address: "::1" });
  expect(asked() === 2).toBe(row.expected);
};

const autopath: Suite<Case> = async (row) => {
  const path = written("resolv.conf", "search example.org example.com com\n");
  const { ask } = await rig(`autopath . ${path}`, ({ message, question }) => {
    const exists = ["b.com.", "a.example.com."].includes(question.name);
    const answers = exists ? [record(`${question.name} 3600 IN A 127.0.0.53`)] : [];
    return reply("backend", createReply(message, { answers, rcode: exists ? rcodes.NOERROR : rcodes.NXDOMAIN }));
  });
  const message = await ask(row.qname, row.qtype);
  expect(rcodeName(message?.rcode ?? -1)).toBe(row.rcode);
  const [got, wanted] = sides(message?.answers, row.answer);
  expect(got).toEqual(wanted);
};

/** What a search path leads to is asked of `acl` too; ours goes on after a denial alone, so what has not the first name denies it. */
const guarded: Suite<{ qname: string }> = async ({ qname }) => {
  const search = written("resolv-acl.conf", "search public.example protected.example\n");
  const names = written("hosts-acl", "192.0.2.123 secret.protected.example\n");
  const block = `acl protected.example. {\nblock\n}\nautopath . ${search}\nhosts ${names} {\nfallthrough\n}`;
  const { ask, stop } = await rig(block, saying({ rcode: rcodes.NXDOMAIN }));
  const message = await ask(qname);
  await stop();
  expect([rcodeName(message?.rcode ?? -1), message?.answers]).toEqual(["REFUSED", []]);
};

const withinCidr: Suite<{ ip: string; cidr: string; expected?: boolean; shouldErr: boolean }> = async ({ ip, cidr, expected }) => {
  const { ask, asked } = await rig(`view one {\nexpr incidr('${ip}', '${cidr}')\n}`, saying({}));
  await ask("example.com.");
  // An expression that cannot be worked out takes no query.
  expect(asked() === 1).toBe(expected === true);
};

const quiet: Suite<{ expectedCode: string; expectedErr: unknown }> = async (row) => {
  if (row.expectedErr !== null) return { unasked: "an error value of Go" };
  const { ask, lines } = await rig("errors", saying({ rcode: rcodes[row.expectedCode as keyof typeof rcodes] }));
  expect(rcodeName((await ask("example.org."))?.rcode ?? -1)).toBe(row.expectedCode);
  expect(lines).toEqual([]);
};

interface LoggedRow {
  readonly Domain: string;
  readonly Rules: readonly { readonly NameScope: string; readonly Format: string | { readonly ref: string }; readonly Class: object }[];
  readonly ShouldLog: boolean;
  readonly ShouldString?: string;
  readonly ShouldNOTString?: string;
}

const logged: Suite<LoggedRow> = async (row) => {
  const rules = row.Rules.map((rule) => {
    const format = { DefaultLogFormat: "{common}", CommonLogFormat: "{common}", CombinedLogFormat: "{combined}" };
    const text = typeof rule.Format === "string" ? rule.Format : (format[rule.Format.ref as keyof typeof format] ?? "{common}");
    const named = Object.keys(rule.Class).flatMap((key) => /response\.(\w+)/.exec(key)?.[1]?.toLowerCase() ?? []);
    return `log ${rule.NameScope} "${text}" {\nclass ${named.join(" ")}\n}`;
  });
  const { ask, lines } = await rig(rules.join("\n"), saying({ rcode: rcodes.REFUSED }));
  await ask(row.Domain);
  const text = lines.join("\n");
  expect(text !== "").toBe(row.ShouldLog);
  if (row.ShouldLog && row.ShouldString !== undefined) expect(text).toContain(row.ShouldString);
  if (row.ShouldNOTString !== undefined && row.ShouldNOTString !== "") expect(text).not.toContain(row.ShouldNOTString);
};

const refusesTransfer: Suite<{ qname: string; qtype: string; zones: string[]; expectedCode: string }> = async (row) => {
  const file = written("db.example.org", "@ 60 SOA ns admin 1 2 3 4 5\n@ 60 NS ns\n");
  const { ask, stop } = await rig(`auto {\ndirectory ${file.replace(/\/[^/]+$/, "")} db\\.(.*) {1}\n}`);
  const message = await ask(row.qname, row.qtype);
  await stop();
  expect(typeCode(row.qtype)).toBeDefined();
  expect(rcodeName(message?.rcode ?? -1)).toBe(row.expectedCode);
};

export const answerSuites = {
  "integration test/ TestACLAuthorizesAutopathExpandedName tests": guarded,
  "pkg/expression TestInCidr cases": withinCidr,
  "hosts - hostsTestCases": fromHosts,
  "hosts TestFallthroughUnsupportedType tests": throughHosts,
  "hosts - lookupStaticHostTests": staticHosts,
  "hosts - lookupStaticAddrTests": staticAddresses,
  "hosts TestLookupWildcardHost tests": wildcardHosts,
  "loadbalance TestLoadBalanceRandom tests": balanced,
  "loadbalance TestSortPreferred expectedOrder": preferred,
  "loadbalance TestWeightFileUpdate tests": weightFile,
  "loadbalance TestLoadBalanceWRR tests": weighted,
  "template TestHandler tests": templated,
  "template TestExprMatch tests": matched,
  "whoami TestWhoami tests": whoami,
  "chaos TestChaos tests": chaos,
  "any TestAnyNonANYQuery tests": notAny,
  "minimal TestMinimizeResponse tests": minimal,
  "header TestHeaderResponseRules tests": header("response"),
  "header TestHeaderQueryRules tests": header("query"),
  "view TestFilter_ErrorPaths tests": filtered,
  "metadata TestLabelFormat labels": label,
  "dns64 TestRequestShouldIntercept tests": intercepts,
  "dns64 TestResponseShould tests": synthesizes,
  "autopath - autopathTestCases": autopath,
  "errors TestErrors tests": quiet,
  "log TestLogged tests": logged,
  "auto TestAutoServeDNS tests": refusesTransfer,
};
