/**
 * CoreDNS's own cases of the Corefile and of each directive's setup (shared with whoever works on the project; absent in a
 * clone, then skipped). What is refused here and not there is listed with its reason.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { InformerFactory } from "../../client/informer.ts";
import { FakeClock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import { parseCidr } from "../../lib/ip.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { parseLeaseTtl } from "../plugins/etcd/setup.ts";
import { splitZone } from "../plugins/forward/targets.ts";
import { reverseZones } from "../../decide/dns/reverse.ts";
import type { PluginEnvironment } from "../plugin.ts";
import { pluginList, unsupportedDirectives } from "../plugins.ts";
import { SharedHttpEndpoints } from "../server/http-endpoints.ts";
import { noWatch } from "../server/query-watch.ts";
import { configure } from "./configure.ts";
import { parseDuration } from "./duration.ts";
import { lex } from "./lex.ts";
import { parseCorefile } from "./parse.ts";
import { systemSources } from "./sources.ts";
import { splitTransport, zonesOf, zonesOrBlock } from "./zones.ts";

const path = join(import.meta.dirname, "../../../../shared/cases/coredns-plugin-cases.json");

interface SetupCase {
  readonly plugin: string;
  readonly func: string;
  readonly block: unknown;
  readonly shouldErr: boolean | null;
  readonly expect?: Readonly<Record<string, unknown>>;
}

interface Rows {
  readonly plugin?: string;
  readonly func: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

interface File {
  readonly setup: readonly SetupCase[];
  readonly tables: readonly Rows[];
  readonly caddyfileParser: readonly Rows[];
  readonly pluginOrder: readonly string[];
}

const file: File | undefined = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as File) : undefined;
if (file === undefined) console.log("skipped: CoreDNS's cases are not beside this clone");
const rows = (tables: readonly Rows[] | undefined, func: string, plugin?: string) =>
  (tables ?? []).filter((table) => table.func === func && (plugin === undefined || table.plugin === plugin)).flatMap((table) => table.rows);

/** Files that the cases speak of. */
const files: Readonly<Record<string, string>> = {
  "resolv.conf": "nameserver 10.10.255.252\nnameserver 10.10.255.253\n",
  "resolv-ipv6.conf": "nameserver 0388:d254:7aec:6892:9f7f:e93b:5806:1b0f%en0\n",
  "empty.conf": "",
  "test_cert.pem": "certificate",
  "test_key.pem": "key",
  "test_ca.pem": "authority",
};

function readFile(path: string): string {
  return files[basename(path)] ?? systemSources.readFile(path);
}

const environment: PluginEnvironment = {
  clock: new FakeClock(),
  log: silentLogger,
  metrics: new MetricsRegistry(),
  random: () => 0.5,
  sources: { ...systemSources, readFile },
  http: new SharedHttpEndpoints(),
  watch: noWatch,
  checkCorefile: () => undefined,
};

const informers = {} as InformerFactory;
const connection = { informers, start: async () => undefined, stop: async () => undefined };
const all = pluginList({ kubernetes: { informers, localAddresses: [], connect: () => connection } });
const directives: Readonly<Record<string, string>> = { metrics: "prometheus" };
const served = new Set(all.map(({ name }) => name));

/** Those that CoreDNS does not have. */
const ownPlugins: readonly string[] = ["top"];

/** Cases that cannot be asked as a block of a Corefile, and why. */
const elsewhere: Readonly<Record<string, string>> = {
  "etcd TestParseTTL": "a time, not a block: read below",
  "forward TestSplitZone": "an address, not a block: read below",
  "shed TestSetupRejectsNonDNSTransport": "depends on the key of the block, which the case does not say",
};

describe.skipIf(file === undefined)("CoreDNS's cases", () => {
  const setups = (file?.setup ?? [])
    .map((one) => ({ ...one, plugin: directives[one.plugin] ?? one.plugin }))
    .filter(
      ({ plugin, block, shouldErr, func }) =>
        served.has(plugin) && typeof block === "string" && shouldErr !== null && elsewhere[`${plugin} ${func}`] === undefined,
    );

  test.each(setups.map((one) => [`${one.func}: ${String(one.block).replace(/\s+/g, " ")}`, one] as const))("%s", (_, one) => {
    const block = String(one.block);
    const isOption = one.plugin === "cache" && !/^\s*cache/.test(block);
    const text = `.:53 {\n${isOption ? `cache {\n${block}\n}` : block}\n}`;
    const outcome = outcomeOf(() =>
      configure({ text, file: "Corefile", plugins: all, unsupported: unsupportedDirectives, environment, hosts: () => [] }),
    );
    if (one.shouldErr === true) expect(outcome).toContain("Error during parsing");
    else expect(outcome).toBe("");
  });

  test("the chain's order is CoreDNS's", () => {
    const order = (file?.pluginOrder ?? []).map((name) => directives[name] ?? name);
    const ours = all.map(({ name }) => name).filter((name) => !ownPlugins.includes(name));
    expect(ours).toEqual(order.filter((name) => ours.includes(name)));
    expect(order.filter((name) => !ours.includes(name) && !unsupportedDirectives.has(name))).toEqual([]);
  });

  test("text is cut into tokens as caddyfile does", () => {
    for (const { input, expected } of rows(file?.caddyfileParser, "TestLexer")) {
      const tokens = (expected as { Line: number; Text: string }[]).map(({ Line: line, Text: text }) => ({ line, text, file: "f" }));
      expect(lex(String(input), "f")).toEqual(tokens);
    }
  });

  test("blocks have their keys", () => {
    for (const { input, keys, shouldErr } of rows(file?.caddyfileParser, "TestParseAll")) {
      if (String(input).includes("testdata")) continue;
      const parse = () => parseCorefile(String(input), "f", { sources: systemSources }).map((block) => block.keys.map(({ text }) => text));
      if (shouldErr === true) expect(parse, String(input)).toThrow(/Error during parsing/);
      else expect(parse()).toEqual(keys);
    }
  });

  test("directives have their tokens", () => {
    for (const { input, keys, tokens, shouldErr } of rows(file?.caddyfileParser, "TestParseOneAndImport")) {
      if (String(input).includes("testdata")) continue;
      const parse = () => parseCorefile(String(input), "f", { sources: systemSources })[0];
      // A pattern that no file matches is a warning there too; upstream's error is about what is left: nothing.
      if (shouldErr === true) expect(() => parse() ?? thrown(), String(input)).toThrow();
      else {
        expect(parse()?.keys.map(({ text }) => text) ?? [], String(input)).toEqual(keys);
        expect(Object.fromEntries([...(parse()?.directives ?? [])].map(([name, list]) => [name, list.length]))).toEqual(tokens);
      }
    }
  });

  test("a snippet that imports itself is an error", () => {
    for (const { input } of rows(file?.caddyfileParser, "TestSnippetImportCycle")) {
      expect(() => parseCorefile(String(input), "f", { sources: systemSources })).toThrow(/maximum snippet import depth/);
    }
  });

  test("zones, blocks of addresses, transports and durations are read as upstream does", () => {
    for (const { in: text, out } of rows(file?.tables, "TestHostNormalizeExact")) {
      expect(zonesOf(String(text)).slice(0, (out as string[]).length), String(text)).toEqual(out);
    }
    for (const { args, serverblock, expected } of rows(file?.tables, "TestOriginsFromArgsOrServerBlock")) {
      const block = ((serverblock as string[] | null) ?? []).map((key) => zonesOf(key)[0] ?? "");
      expect(zonesOrBlock((args as string[] | null) ?? [], block)).toEqual(expected);
    }
    for (const { in: text, zones } of (file?.tables ?? []).filter(({ plugin }) => plugin === "pkg/cidr").flatMap((table) => table.rows)) {
      const cidr = parseCidr(String(text));
      expect(cidr === undefined ? [] : reverseZones(cidr)).toEqual(zones);
    }
    for (const { block, expect: { expectedHost, expectedZone } = {} } of (file?.setup ?? []).filter(
      ({ func }) => func === "TestSplitZone",
    )) {
      const { transport, rest } = splitTransport(String(block));
      const { address, serverName } = splitZone(rest);
      expect([`${transport}://${address}`, serverName]).toEqual([expectedHost, expectedZone]);
    }
    for (const { block, shouldErr, expect: { expected } = {} } of (file?.setup ?? []).filter(({ func }) => func === "TestParseTTL")) {
      expect(parseLeaseTtl(String(block)), String(block)).toBe(shouldErr === true ? undefined : expected);
    }
    for (const { input, expected } of rows(file?.tables, "TestTransport")) expect(splitTransport(String(input)).transport).toBe(expected);
    expect(["30s", "2m", "0.5s", "1h15m", "0", "-1s", "20", "aa", ""].map(parseDuration)).toEqual([
      30_000,
      120_000,
      500,
      4_500_000,
      0,
      -1000,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

function thrown(): never {
  throw new Error("nothing is there");
}

function outcomeOf(act: () => unknown): string {
  try {
    act();
    return "";
  } catch (error) {
    return errorMessage(error);
  }
}
