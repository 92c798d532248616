/** The suites of the server, of `forward`'s servers, of zones, and of the small packages that plugins share. */
import { createSocket } from "node:dgram";
import { expect } from "vitest";
import { addressOfReverse, isReverseName } from "../../decide/dns/reverse.ts";
import { isWithin } from "../../decide/dns/name.ts";
import { rcodeName, rcodes } from "../../decide/dns/records.ts";
import { FairleadError } from "../../lib/errors.ts";
import { parseIp, reverseName } from "../../lib/ip.ts";
import { parseCorefile } from "../corefile/parse.ts";
import { parseServer } from "../corefile/servers.ts";
import { systemSources } from "../corefile/sources.ts";
import { parseZoneKey, splitTransport, zonesOf } from "../corefile/zones.ts";
import { failure } from "../plugin.ts";
import { readTargets, splitZone } from "../plugins/forward/targets.ts";
import { parseFormat } from "../plugins/log/format.ts";
import { parseCatalog } from "../plugins/secondary/catalog.ts";
import { rig } from "../plugins/plugin-rig.cases.ts";
import { parseZoneFile } from "../zone-file/parse-zone-file.ts";
import { decode } from "../wire/decode.ts";
import { encode } from "../wire/encode.ts";
import { createReply } from "../wire/message.ts";
import { record, saying, type Suite } from "./rows.cases.ts";

const reverse =
  (zone: string): Suite<{ addr: string; rcode: string }> =>
  async ({ addr, rcode }) => {
    const ip = parseIp(addr);
    const { ask } = await rig("whoami", saying({}), false, zone);
    const message = await ask(ip === undefined ? addr : reverseName(ip));
    expect(rcodeName(message?.rcode ?? -1)).toBe(rcode);
  };

interface Blocks {
  readonly serverBlocks: readonly { readonly Keys: readonly string[] }[];
  readonly expectedZoneAddrs: Readonly<Record<string, { readonly Port: string; readonly Transport: string; readonly Zone: string }>>;
}

const ports = { dns: 53, tls: 853, quic: 853, grpc: 443, https: 443, https3: 443, unix: 0 } as const;

const serverBlocks: Suite<Blocks> = ({ serverBlocks: blocks, expectedZoneAddrs: expected }) => {
  const found = blocks.flatMap(({ Keys: keys }) =>
    keys.flatMap((text) => {
      const key = parseZoneKey(text);
      if (key.kind === "error") throw new Error(key.reason);
      return key.zones.map((zone) => `${key.transport}://${zone}:${key.port ?? ports[key.transport]}`);
    }),
  );
  expect(found.sort()).toEqual(Object.keys(expected).sort());
};

const targets: Suite<{ input: string[]; wantStatic?: number; wantDynamic?: number }> = ({ input, wantStatic = 0, wantDynamic = 0 }) => {
  const files: Readonly<Record<string, string>> = {
    "test_resolv.conf": "nameserver 10.10.255.252\n",
    "commented_resolv.conf": "# nameserver 8.8.8.8\n",
  };
  const readFile = (path: string) => files[path] ?? missing();
  const found = input.flatMap((text) => {
    const read = readTargets(text, readFile);
    if (typeof read === "string") throw new Error(read);
    return read;
  });
  const of = (kind: "address" | "host") => found.filter((one) => one.kind === kind).length;
  expect([of("address"), of("host")]).toEqual([wantStatic, wantDynamic]);
};

function missing(): never {
  throw new Error("no such file");
}

interface HostEntry {
  readonly input: string;
  readonly wantOK: boolean;
  readonly hostname: string;
  readonly port: string;
  readonly transport: string;
  readonly zone: string;
}

const hostEntry: Suite<HostEntry> = (row) => {
  const read = readTargets(row.input, missing);
  const host = typeof read === "string" ? undefined : read.find((one) => one.kind === "host");
  const { wantOK, input: _, port, hostname: name, transport, zone: serverName } = row;
  expect(host).toEqual(wantOK ? { kind: "host", name, transport, port: Number(port), serverName } : undefined);
};

const hostPort: Suite<{ in: string; expected: string; shouldErr: boolean }> = ({ in: text, expected, shouldErr }) => {
  if (text.startsWith("unix://")) return { unasked: 'a Unix socket, which only `dnstap` may name: "dnstap … over a socket"' };
  // Go takes an empty port for none.
  const server = readTargets(text.replace(/:$/, text.endsWith("::") ? ":" : ""), missing);
  const [one] = typeof server === "string" ? [] : server;
  const zone = /%(\w+)$/.exec(text)?.[1];
  if (zone !== undefined) return { unasked: "the interface of a link-local address is kept with the socket, not in the text" };
  const shown = one?.kind === "address" ? (one.host.includes(":") ? `[${one.host}]:${one.port}` : `${one.host}:${one.port}`) : "";
  expect(shown).toBe(shouldErr ? "" : expected);
};

const onlyServer: Suite<{ in: string; expected: string; shouldErr: boolean }> = ({ in: text, expected, shouldErr }) => {
  if (text.includes("%")) return { unasked: "the interface of a link-local address is kept with the socket, not in the text" };
  const server = parseServer(text.replace(/([^:]):$/, "$1"));
  expect(server === undefined ? "" : `${server.host}:${server.port}`).toBe(shouldErr ? "" : expected);
};

const transferFrom: Suite<{ inputFileRules: string; expectedFrom: string[]; shouldErr: boolean }> = async (row) => {
  const outcome = await rig(`secondary example.org {\ntransfer ${row.inputFileRules}\n}`).then(
    () => "taken",
    () => "refused",
  );
  expect(outcome).toBe(row.shouldErr ? "refused" : "taken");
};

const label: Suite<{ Format: string; Expected: (readonly [string, { readonly ref: string }])[] }> = (row) => {
  const logged = parseFormat(row.Format);
  expect(typeof logged).toBe("function");
  // What is no label stands as it is.
  const query = { request: undefined, outcome: undefined } as never;
  if (row.Expected.every(([, { ref }]) => ref === "typeLiteral")) expect(logged(query)).toBe(row.Expected.map(([text]) => text).join(""));
};

const brokenCatalog: Suite<{ zone: string; err: string }> = ({ zone, err }) => {
  const read = parseZoneFile(zone, { origin: "catalog.example.", file: "catalog" } as never);
  const records = (read as { readonly records?: readonly never[] }).records ?? [];
  const parsed = (read as { readonly kind?: string }).kind === "error" ? undefined : parseCatalog("catalog.example.", records);
  expect(parsed?.kind === "ok", err).toBe(false);
};

const within: Suite<{ child: string; parent: string; expected: boolean }> = ({ child, parent, expected }) => {
  expect(isWithin(parent, child)).toBe(expected);
};

const reverseAddress: Suite<{ reverseName: string; expectedAddress: string }> = (row) => {
  expect(addressOfReverse(row.reverseName) ?? "").toBe(row.expectedAddress);
};

const isReverse: Suite<{ name: string; expected: number }> = ({ name, expected }) => {
  expect(isReverseName(name)).toBe(expected !== 0);
};

const codeName: Suite<{ in: string | number; expected: string }> = ({ in: code, expected }) => {
  expect(rcodeName(typeof code === "number" ? code : rcodes[code as keyof typeof rcodes])).toBe(expected);
};

/** Text that a fuzzer found: it may be refused, but nothing falls over. */
const garbled: Suite<{ corefile: string }> = ({ corefile }) => {
  try {
    parseCorefile(corefile, "Corefile", { sources: systemSources });
  } catch (error) {
    expect(error).toBeInstanceOf(FairleadError);
  }
};

const formatted: Suite<{ ip: string; port: string; trans: string; zone: string; expected: string }> = (row) => {
  const { transport, rest } = splitTransport(row.expected);
  const { address, serverName } = splitZone(rest);
  expect([transport, parseServer(address), serverName]).toEqual([row.trans, { host: row.ip, port: Number(row.port) }, row.zone]);
};

const resolverOption: Suite<{ input: string; shouldErr?: boolean; expectedErr?: string }> = async (row) => {
  const said = await rig(row.input).then(
    async ({ stop }) => (await stop(), ""),
    (error: unknown) => String(error),
  );
  expect(said !== "", said).toBe(row.shouldErr === true);
};

const summary: Suite<{ errorCount: number; expectSummary: string; shouldHaveSummary: boolean }> = async (row) => {
  const { ask, clock, lines, stop } = await rig('errors {\nconsolidate 2s "^error.*!$" error show_first\n}', () =>
    failure(rcodes.SERVFAIL, new Error("error!!!!")),
  );
  for (let i = 0; i < row.errorCount; i++) await ask("example.org.");
  expect(lines.length).toBe(1);
  clock.advance(2000);
  expect(lines.some((line) => line.includes(row.expectSummary))).toBe(row.shouldHaveSummary);
  await stop();
};

const onNodata: Suite<{ nextOnNodata: boolean }> = async ({ nextOnNodata }) => {
  const [empty, full] = await Promise.all([upstream([]), upstream(["example.org. 60 IN A 127.0.0.1"])]);
  const block = `forward . ${empty.address} {\n${nextOnNodata ? "next_on_nodata" : ""}\n}\nforward . ${full.address}`;
  const { ask, stop } = await rig(block, undefined, true);
  const message = await ask("example.org.");
  expect(rcodeName(message?.rcode ?? -1)).toBe("NOERROR");
  expect(message?.answers.length).toBe(nextOnNodata ? 1 : 0);
  await stop();
  for (const { close } of [empty, full]) close();
};

async function upstream(answers: readonly string[]) {
  const socket = createSocket("udp4");
  socket.on("message", (packet, { address, port }) => {
    const decoded = decode(packet);
    if (decoded.kind === "ok") socket.send(encode(createReply(decoded.message, { answers: answers.map(record) })), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

const normalized: Suite<string> = (name) => {
  expect(zonesOf(name)).toEqual(["example.org."]);
};

export const serverSuites = {
  "errors TestShowFirst tests": summary,
  "forward TestForward_NextOnNodata tests": onNodata,
  "plugin (common) TestNameNormalize names": normalized,
  "integration test/ TestClasslessReverse tests": reverse("192.168.1.0/25:53"),
  "integration test/ TestReverse tests": reverse("192.168.1.0/24:53"),
  "integration test/ TestReverseInAddr tests": reverse("1.168.192.in-addr.arpa:53"),
  "integration test/ TestCorefileParsing cases": garbled,
  "core/dnsserver TestInspectServerBlocks tests": serverBlocks,
  "forward TestClassifyToAddrs tests": targets,
  "forward TestParseAsHostEntry tests": hostEntry,
  "forward TestFormatResolvedAddr tests": formatted,
  "forward TestSetupResolver tests": resolverOption,
  "pkg/parse TestHostPortOrFile tests": hostPort,
  "pkg/parse TestParseHostPort tests": onlyServer,
  "pkg/parse TestTransferIn tests": transferFrom,
  "pkg/replacer TestParseFormat tests": label,
  "pkg/catalog TestParseBrokenCatalog tests": brokenCatalog,
  "plugin (common) TestNameMatches matches": within,
  "pkg/dnsutil TestExtractAddressFromReverse tests": reverseAddress,
  "pkg/dnsutil TestIsReverse tests": isReverse,
  "pkg/rcode TestToString tests": codeName,
};
