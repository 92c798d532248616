/** Zones that are handed from one server to another: AXFR, IXFR, NOTIFY, catalogs, and files that change. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { recordTypes as T } from "../../decide/dns/records.ts";
import { IncrementalReader } from "../../decide/dns/zone/zone-changes.ts";
import { realClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { messagesTcp } from "../client/exchange.ts";
import { createDnsServer, type DnsServer } from "../server/server.ts";
import { createQuery, type Message } from "../wire/message.ts";
import { parseRecord } from "../wire/parse-record.ts";
import { recordText } from "../wire/text.ts";
import { parseZoneFile } from "../zone-file/parse-zone-file.ts";
import { parseCatalog } from "./secondary/catalog.ts";
import { isNewer } from "../../decide/dns/zone/serial.ts";

const folder = mkdtempSync(join(tmpdir(), "fairlead-zones-"));
const running: DnsServer[] = [];
afterEach(async () => void (await Promise.all(running.splice(0).map((server) => server.stop()))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const zone = (serial: number, more = "") =>
  `$ORIGIN example.org.\n$TTL 60\n@ SOA ns admin ${serial} 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.${serial}\n${more}`;

async function serve(corefile: string, port = 0): Promise<{ readonly server: DnsServer; readonly port: number }> {
  const server = createDnsServer({
    corefile,
    file: join(folder, "Corefile"),
    plugins: { kubernetes: undefined },
    listen: () => [{ host: "127.0.0.1", port }],
    httpPort: () => undefined,
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  });
  await server.start();
  running.push(server);
  return { server, port: [...server.addresses().values()][0]?.port ?? 0 };
}

async function transfer(port: number, type: number, options: Partial<Message> = {}): Promise<readonly string[]> {
  const lines: string[] = [];
  const target = { host: "127.0.0.1", port, clock: realClock, timeoutMs: 10_000 };
  for await (const message of messagesTcp(createQuery("example.org.", type, { id: 5, ...options }), target)) {
    lines.push(...message.answers.map(recordText));
    const soas = lines.filter((line) => line.includes(" SOA "));
    if (soas.length > 1 || message.answers.length <= 1) break;
  }
  return lines;
}

/** The whole answer to who has `serial`. */
async function ixfr(port: number, serial: number): Promise<readonly string[]> {
  const reader = new IncrementalReader();
  const target = { host: "127.0.0.1", port, clock: realClock, timeoutMs: 20_000 };
  for await (const message of messagesTcp(createQuery("example.org.", T.IXFR, { id: 5, authorities: [soa(serial)] }), target)) {
    for (const record of message.answers) reader.add(record);
    reader.endOfMessage(serial);
    if (reader.done) break;
  }
  return reader.records.map(recordText);
}

const soa = (serial: number) => {
  const parsed = parseRecord(`example.org. 60 IN SOA ns. admin. ${serial} 1 2 3 4`);
  if (parsed.kind === "error") throw new Error(parsed.reason);
  return parsed.record;
};

describe("a zone", () => {
  test("is handed over whole, in several messages when it is large, and only where it may be", async () => {
    const many = Array.from({ length: 3000 }, (_, i) => `host-${i} A 10.0.${i >> 8}.${i & 255}\n`).join("");
    writeFileSync(join(folder, "db"), zone(7, many));
    const { port } = await serve("example.org {\nfile db\ntransfer {\nto *\n}\n}");
    const lines = await transfer(port, T.AXFR);
    expect(lines.length).toBe(3000 + 5);
    expect([lines[0], lines.at(-1)]).toEqual([lines[0], lines[0]]);
    const closed = await serve("example.org {\nfile db\ntransfer {\nto 192.0.2.99\n}\n}");
    expect(await transfer(closed.port, T.AXFR)).toEqual([]);
  });

  test("is not handed over again to who has it (IXFR)", async () => {
    writeFileSync(join(folder, "db"), zone(7));
    const { port } = await serve("example.org {\nfile db\ntransfer {\nto *\n}\n}");
    expect((await transfer(port, T.IXFR, { authorities: [soa(7)] })).length).toBe(1);
    expect((await transfer(port, T.IXFR, { authorities: [soa(6)] })).length).toBe(5);
  });

  test("goes by what changed to who knows an earlier version (IXFR)", { timeout: 60_000 }, async () => {
    const hosts = Array.from({ length: 20 }, (_, i) => `host-${i} A 10.0.0.${i}\n`);
    writeFileSync(join(folder, "db"), zone(7, hosts.join("")));
    const first = await serve("example.org {\nfile db {\nreload 1s\n}\ntransfer {\nto *\n}\n}");
    const second = await serve(`example.org {\nsecondary {\ntransfer from 127.0.0.1:${first.port}\n}\ntransfer {\nto *\n}\n}`);
    const serial = async ({ server }: typeof first) => (await server.query("example.org.", T.SOA)).answers[0]?.data;
    await vi.waitFor(async () => expect(await serial(second)).toMatchObject({ serial: 7 }), 30_000);
    writeFileSync(join(folder, "db"), zone(8, hosts.slice(1).join("")));
    await vi.waitFor(async () => expect(await serial(first)).toMatchObject({ serial: 8 }), 40_000);
    const changes = [
      "example.org. 60 IN SOA ns.example.org. admin.example.org. 8 3600 600 86400 60",
      "example.org. 60 IN SOA ns.example.org. admin.example.org. 7 3600 600 86400 60",
      "www.example.org. 60 IN A 192.0.2.7",
      "host-0.example.org. 60 IN A 10.0.0.0",
      "example.org. 60 IN SOA ns.example.org. admin.example.org. 8 3600 600 86400 60",
      "www.example.org. 60 IN A 192.0.2.8",
      "example.org. 60 IN SOA ns.example.org. admin.example.org. 8 3600 600 86400 60",
    ];
    expect(await ixfr(first.port, 7)).toEqual(changes);
    expect((await ixfr(first.port, 3)).length).toBe(4 + 19 + 1);
    await second.server.exchange({ ...createQuery("example.org.", T.SOA), opcode: 4 }, "127.0.0.1");
    await vi.waitFor(async () => expect(await serial(second)).toMatchObject({ serial: 8 }), 40_000);
    // The secondary hands the same on.
    expect((await ixfr(second.port, 7)).toSorted()).toEqual(changes.toSorted());
  });

  test("goes to a secondary, and again when its file changes", { timeout: 60_000 }, async () => {
    writeFileSync(join(folder, "db"), zone(1));
    const primaryFile = (to: number) => `example.org {\nfile db {\nreload 1s\n}\ntransfer {\nto * 127.0.0.1:${to}\n}\n}`;
    // The primary must know the secondary's port before it is there: the secondary is started first, and tries again.
    const first = await serve(primaryFile(9));
    const second = await serve(`example.org {\nsecondary {\ntransfer from 127.0.0.1:${first.port}\n}\n}`);
    const address = async () => (await second.server.query("www.example.org.", T.A)).answers.map(recordText);
    await vi.waitFor(async () => expect(await address()).toEqual(["www.example.org. 60 IN A 192.0.2.1"]), 30_000);
    expect((await first.server.reload(primaryFile(second.port))).ok).toBe(true);
    writeFileSync(join(folder, "db"), zone(2));
    await vi.waitFor(async () => expect(await address()).toEqual(["www.example.org. 60 IN A 192.0.2.2"]), 40_000);
  });

  test("of a secondary that has not been fetched is no denial", async () => {
    const { server } = await serve("example.org {\nsecondary {\ntransfer from 127.0.0.1:9\n}\n}");
    expect((await server.query("www.example.org.", T.A)).rcode).toBe(2);
  });

  test("appears with its file, and goes with it (auto)", { timeout: 60_000 }, async () => {
    const { server } = await serve(`. {\nauto {\ndirectory ${join(folder, "zones")} db\\.(.*) {1}\nreload 1s\n}\n}`);
    expect((await server.query("www.example.org.", T.A)).rcode).not.toBe(0);
    const { mkdirSync } = await import("node:fs");
    mkdirSync(join(folder, "zones"), { recursive: true });
    writeFileSync(join(folder, "zones", "db.example.org"), zone(3));
    await vi.waitFor(async () => expect((await server.query("www.example.org.", T.A)).answers.length).toBe(1), 40_000);
    rmSync(join(folder, "zones", "db.example.org"));
    await vi.waitFor(async () => expect((await server.query("www.example.org.", T.A)).answers.length).toBe(0), 40_000);
  });
});

test("serials go round (RFC 1982)", () => {
  expect([isNewer(2, 1), isNewer(1, 2), isNewer(1, 1), isNewer(1, 0xffff_fff0)]).toEqual([true, false, false, true]);
});

describe("a catalog", () => {
  const records = (text: string) => {
    const parsed = parseZoneFile(text, { origin: "catalog.example.", file: "catalog" });
    if (parsed.kind === "error") throw new Error(parsed.reason);
    return parsed.records;
  };
  const head = '@ 0 SOA invalid. h. 1 1 1 1 0\n@ 0 NS invalid.\nversion 0 TXT "2"\n';

  test("names its members", () => {
    const members = records(`${head}a.zones 0 PTR example.com.\nb.zones 0 PTR EXAMPLE.net.\ngroup.a.zones 0 TXT x\n`);
    expect(parseCatalog("catalog.example.", members)).toEqual({ kind: "ok", members: ["example.com.", "example.net."] });
  });

  test.each([
    ["another version", head.replace('"2"', '"1"')],
    ["no version", head.replace(/version.*\n/, "")],
    ["two zones at one node", `${head}a.zones 0 PTR example.com.\na.zones 0 PTR example.net.\n`],
    ["a zone twice", `${head}a.zones 0 PTR example.com.\nb.zones 0 PTR example.com.\n`],
  ])("with %s is broken", (_, text) => {
    expect(parseCatalog("catalog.example.", records(text)).kind).toBe("error");
  });
});

test("a zone file may have parentheses, relative names, includes, units and generated names", () => {
  const text = `$ORIGIN example.org.\n$TTL 1h\n@ IN SOA ns admin ( 1 ; serial\n 2h 30m\n 1w 60 )\n  NS ns\nns A 192.0.2.1\n$INCLUDE more sub\n$GENERATE 1-3 host-$ A 10.0.0.\${10}\nlast TXT "a;b" c\n`;
  const include = () => ({ text: "www A 192.0.2.9\n", file: "more" });
  const parsed = parseZoneFile(text, { origin: "example.org.", file: "zone", include });
  expect(parsed.kind === "ok" ? parsed.records.map(recordText) : parsed.reason).toEqual([
    "example.org. 3600 IN SOA ns.example.org. admin.example.org. 1 7200 1800 604800 60",
    "example.org. 3600 IN NS ns.example.org.",
    "ns.example.org. 3600 IN A 192.0.2.1",
    "www.sub.example.org. 3600 IN A 192.0.2.9",
    "host-1.example.org. 3600 IN A 10.0.0.11",
    "host-2.example.org. 3600 IN A 10.0.0.12",
    "host-3.example.org. 3600 IN A 10.0.0.13",
    'last.example.org. 3600 IN TXT "a;b" "c"',
  ]);
});
