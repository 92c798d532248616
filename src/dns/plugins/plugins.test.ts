/** Each plugin by itself: a block of a Corefile, a query, and what the next plugin would have said. */
import { readFileSync, globSync } from "node:fs";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { recordTypes as T, rcodes, rcodeName } from "../../decide/dns/records.ts";
import { reply, type Outcome } from "../plugin.ts";
import { pluginList } from "../plugins.ts";
import { decode } from "../wire/decode.ts";
import { encode } from "../wire/encode.ts";
import { createReply, type Message } from "../wire/message.ts";
import { parseRecord } from "../wire/parse-record.ts";
import { dataText, recordText } from "../wire/text.ts";
import { clusterInformers, rig, type Backend, type Rig } from "./plugin-rig.cases.ts";

const records = (lines: readonly string[]) =>
  lines.map((line) => {
    const parsed = parseRecord(line);
    if (parsed.kind === "error") throw new Error(parsed.reason);
    return parsed.record;
  });

const answering =
  (...lines: readonly string[]): Backend =>
  ({ message }) =>
    reply("backend", createReply(message, { answers: records(lines) }));

async function upstream(answer: (query: Message) => Message | undefined) {
  const socket = createSocket("udp4");
  socket.on("message", (packet, { address, port }) => {
    const decoded = decode(packet);
    const message = decoded.kind === "ok" ? answer(decoded.message) : undefined;
    if (message !== undefined) socket.send(encode(message), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

const texts = (message: Message | undefined) => (message === undefined ? [] : message.answers.map(recordText));

describe("cache", () => {
  test("keeps an answer for its time, tells what is left, and asks again after it", async () => {
    const { ask, clock, asked } = await rig("cache", answering("a.org. 60 IN A 10.0.0.1"));
    expect(texts(await ask("a.org."))).toEqual(["a.org. 60 IN A 10.0.0.1"]);
    clock.advance(20_000);
    expect(texts(await ask("A.org."))).toEqual(["a.org. 40 IN A 10.0.0.1"]);
    expect(asked()).toBe(1);
    clock.advance(40_000);
    await ask("a.org.");
    expect(asked()).toBe(2);
  });

  test("caps and floors times, already with the first answer", async () => {
    const { ask } = await rig("cache 30", answering("a.org. 3600 IN A 10.0.0.1"));
    expect(texts(await ask("a.org."))).toEqual(["a.org. 30 IN A 10.0.0.1"]);
    const low = await rig("cache", answering("a.org. 1 IN A 10.0.0.1"));
    expect(texts(await low.ask("a.org."))).toEqual(["a.org. 5 IN A 10.0.0.1"]);
    const kept = await rig("cache {\nkeepttl\n}", answering("a.org. 60 IN A 10.0.0.1"));
    await kept.ask("a.org.");
    kept.clock.advance(30_000);
    expect(texts(await kept.ask("a.org."))).toEqual(["a.org. 60 IN A 10.0.0.1"]);
  });

  test("never shares an entry between types, DO or CD", async () => {
    const { ask, asked } = await rig("cache", answering("a.org. 60 IN A 10.0.0.1"));
    await ask("a.org.");
    await ask("a.org.", "A", { checkingDisabled: true });
    await ask("a.org.", "A", { edns: { udpSize: 1232, version: 0, dnssecOk: true, options: [] } });
    expect(asked()).toBe(3);
    await ask("a.org.", "A", { authenticData: true });
    expect(asked()).toBe(3);
  });

  test.each([
    ["a denial without SOA", { rcode: 3 }],
    ["an answer cut short", { truncated: true, answers: records(["a.org. 60 IN A 10.0.0.1"]) }],
    ["an alias that leads nowhere", { answers: records(["a.org. 60 IN CNAME b.org."]) }],
    [
      "an answer to another question",
      { answers: records(["a.org. 60 IN A 10.0.0.1"]), questions: [{ name: "b.org.", type: T.A, class: 1 }] },
    ],
    ["a refusal", { rcode: 5 }],
  ] as const)("does not keep %s", async (_, parts) => {
    const { ask, asked } = await rig("cache", ({ message }) => reply("backend", createReply(message, parts)));
    await ask("a.org.");
    await ask("a.org.");
    expect(asked()).toBe(2);
  });

  test("keeps denials by their SOA, and failures for five seconds", async () => {
    const soa = records(["org. 20 IN SOA ns.org. admin.org. 1 1 1 1 20"]);
    const denied = await rig("cache", ({ message }) => reply("backend", createReply(message, { rcode: 3, authorities: soa })));
    await denied.ask("a.org.");
    denied.clock.advance(19_000);
    await denied.ask("a.org.");
    expect(denied.asked()).toBe(1);
    const failed = await rig("cache", ({ message }) => reply("backend", createReply(message, { rcode: 2 })));
    await failed.ask("a.org.");
    failed.clock.advance(4000);
    await failed.ask("a.org.");
    expect(failed.asked()).toBe(1);
    failed.clock.advance(1000);
    await failed.ask("a.org.");
    expect(failed.asked()).toBe(2);
  });

  test("leaves out zones that are disabled, live answers, and the oldest beyond its capacity", async () => {
    const disabled = await rig("cache {\ndisable success org\n}", answering("a.org. 60 IN A 10.0.0.1"));
    await disabled.ask("a.org.");
    await disabled.ask("a.org.");
    expect(disabled.asked()).toBe(2);
    const live = await rig("cache", (request) => ({ ...(answering("a.org. 60 IN A 10.0.0.1")(request) as object), live: true }) as Outcome);
    await live.ask("a.org.");
    await live.ask("a.org.");
    expect(live.asked()).toBe(2);
    const small = await rig("cache {\nsuccess 1\n}", ({ message, question }) =>
      reply("backend", createReply(message, { answers: records([`${question.name} 60 IN A 10.0.0.1`]) })),
    );
    for (const name of ["a.org.", "b.org.", "a.org."]) await small.ask(name);
    expect(small.asked()).toBe(3);
    expect(small.metrics.text()).toContain('coredns_cache_evictions_total{server="dns://:53",type="success",zones=".",view=""} 2');
  });
});

describe("forward", () => {
  const says = (text: string, rcode = 0) => upstream((query) => createReply(query, { rcode, answers: rcode === 0 ? records([text]) : [] }));

  test("gives the upstream's answer with the client's id", async () => {
    const { address, close } = await says("a.org. 60 IN A 10.0.0.1");
    const { ask } = await rig(`forward . ${address}`, undefined, true);
    const message = await ask("a.org.");
    expect(message?.id).toBe(42);
    expect(texts(message)).toEqual(["a.org. 60 IN A 10.0.0.1"]);
    close();
  });

  test("goes to the next server when one does not answer or answers with a code of failover", async () => {
    const [dead, refusing, good] = await Promise.all([upstream(() => undefined), says("", 5), says("a.org. 60 IN A 10.0.0.1")]);
    const servers = `${dead.address} ${refusing.address} ${good.address}`;
    const { ask } = await rig(`forward . ${servers} {\npolicy sequential\nread_timeout 50ms\nfailover REFUSED\n}`, undefined, true);
    expect(texts(await ask("a.org."))).toEqual(["a.org. 60 IN A 10.0.0.1"]);
    for (const { close } of [dead, refusing, good]) close();
  });

  test("drops what answers another question, and waits for the right answer", async () => {
    const { address, close } = await upstream((query) =>
      createReply({ ...query, questions: [{ name: "evil.org.", type: T.A, class: 1 }] }, {}),
    );
    const { ask } = await rig(`forward . ${address} {\nread_timeout 50ms\n}`, undefined, true);
    expect((await ask("a.org."))?.rcode).toBe(rcodes.SERVFAIL);
    close();
  });

  test("passes on what it does not serve, and says when it has no server", async () => {
    const { ask, asked } = await rig(
      "errors\nforward example.org /nowhere/resolv.conf {\nexcept in.example.org\n}",
      answering("x. 1 IN A 10.0.0.1"),
    );
    await ask("other.net.");
    await ask("a.in.example.org.");
    expect(asked()).toBe(2);
    expect((await ask("a.example.org."))?.rcode).toBe(rcodes.SERVFAIL);
  });

  test("refuses beyond max_concurrent", async () => {
    const { address, close } = await upstream(() => undefined);
    const { ask } = await rig(`forward . ${address} {\nmax_concurrent 1\nread_timeout 50ms\n}`, undefined, true);
    const [first, second] = await Promise.all([ask("a.org."), ask("b.org.")]);
    expect([first?.rcode, second?.rcode].map((code) => rcodeName(code ?? 0))).toEqual(["SERVFAIL", "REFUSED"]);
    close();
  });
});

describe("kubernetes", () => {
  const slice = (address: string) => ({
    metadata: { name: "db-1", namespace: "shop", labels: { "kubernetes.io/service-name": "db" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: "tcp", port: 5432, protocol: "TCP" }],
  });

  test("answers from what the watch shows, at once, past every cache; unknown names fall through where told", async () => {
    clusterInformers.namespaces.show({ metadata: { name: "shop" } });
    clusterInformers.services.show({ metadata: { name: "db", namespace: "shop" }, spec: { clusterIP: "None", clusterIPs: ["None"] } });
    clusterInformers.endpointSlices.show(slice("10.244.0.5"));
    const { ask, asked } = await rig(
      "cache\nkubernetes cluster.local in-addr.arpa {\nttl 30\nfallthrough in-addr.arpa\n}",
      answering("x. 1 IN A 10.0.0.1"),
    );
    const name = "db.shop.svc.cluster.local.";
    expect(texts(await ask(name))).toEqual([`${name} 30 IN A 10.244.0.5`]);
    clusterInformers.endpointSlices.show(slice("10.244.0.6"));
    expect(texts(await ask(name))).toEqual([`${name} 30 IN A 10.244.0.6`]);
    expect((await ask("6.0.244.10.in-addr.arpa.", "PTR"))?.answers.map(({ data }) => dataText(data))).toEqual([`10-244-0-6.${name}`]);
    expect((await ask("gone.shop.svc.cluster.local."))?.rcode).toBe(rcodes.NXDOMAIN);
    expect(asked()).toBe(0);
    await ask("9.9.9.9.in-addr.arpa.", "PTR");
    expect(asked()).toBe(1);
  });

  test("follows an ExternalName out of the cluster through the whole chain", async () => {
    clusterInformers.namespaces.show({ metadata: { name: "shop" } });
    clusterInformers.services.show({ metadata: { name: "out", namespace: "shop" }, spec: { type: "ExternalName", externalName: "a.org" } });
    const { ask } = await rig("kubernetes cluster.local", answering("a.org. 60 IN A 10.0.0.1"));
    expect(texts(await ask("out.shop.svc.cluster.local."))).toEqual([
      "out.shop.svc.cluster.local. 5 IN CNAME a.org.",
      "a.org. 60 IN A 10.0.0.1",
    ]);
  });
});

describe("others", () => {
  test("loadbalance changes the order of addresses, not of aliases", async () => {
    const addresses = Array.from({ length: 8 }, (_, i) => `b.org. 60 IN A 10.0.0.${i}`);
    const { ask } = await rig("loadbalance", answering("a.org. 60 IN CNAME b.org.", ...addresses));
    const orders = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const [alias, ...rest] = texts(await ask("a.org."));
      expect(alias).toBe("a.org. 60 IN CNAME b.org.");
      expect([...rest].sort()).toEqual([...addresses].sort());
      orders.add(rest.join());
    }
    expect(orders.size).toBeGreaterThan(1);
  });

  test("errors says what failed, log what was asked, prometheus counts it", async () => {
    const { ask, lines, metrics } = await rig("errors\nlog\nprometheus");
    await ask("a.org.");
    expect(lines.join("")).toContain("nobody knows");
    expect(lines.join("")).toMatch(/10\.0\.0\.9:4321 - 42 .*A IN a\.org\. udp 40 false 512.* SERVFAIL/);
    expect(metrics.text()).toContain('coredns_dns_requests_total{server="dns://:53",zone=".",view="",proto="udp",family="1",type="A"} 1');
    expect(metrics.text()).toContain('coredns_dns_responses_total{server="dns://:53",zone=".",view="",rcode="SERVFAIL",plugin=""} 1');
  });

  test("errors tells many of a kind as one", async () => {
    const { ask, lines, clock } = await rig("errors {\nconsolidate 1m nobody.* warning show_first\n}");
    for (let i = 0; i < 5; i++) await ask("a.org.");
    expect(lines.filter((line) => line.includes("nobody knows")).length).toBe(1);
    clock.advance(60_000);
    expect(lines.at(-1)).toContain("5 errors like 'nobody.*' occurred in last 1m");
  });

  test("hosts answers for its names, and fails or falls through for others", async () => {
    const inline = await rig("hosts {\n10.0.0.1 a.org\n::1 a.org\nttl 60\n}");
    expect(texts(await inline.ask("a.org.", "AAAA"))).toEqual(["a.org. 60 IN AAAA ::1"]);
    expect((await inline.ask("a.org.", "TXT"))?.rcode).toBe(rcodes.NOERROR);
    expect((await inline.ask("b.org."))?.rcode).toBe(rcodes.SERVFAIL);
    const through = await rig("hosts {\n10.0.0.1 a.org\nfallthrough\n}", answering("b.org. 1 IN A 10.0.0.2"));
    expect(texts(await through.ask("b.org."))).toEqual(["b.org. 1 IN A 10.0.0.2"]);
  });

  test("loop quarantines the server that leads back here, and others go on", async () => {
    let rigged: Rig | undefined;
    // A resolver that leads back here, and one that does not.
    const back = await upstream((query) => {
      const [question] = query.questions;
      if (question?.type === T.HINFO) void rigged?.ask(question.name, "HINFO");
      return undefined;
    });
    const good = await upstream((query) => createReply(query, { answers: records(["a.org. 60 IN A 10.0.0.1"]) }));
    rigged = await rig(`loop\nforward . ${back.address} ${good.address} {\npolicy sequential\nread_timeout 200ms\n}`, undefined, true);
    expect(texts(await rigged.ask("a.org."))).toEqual(["a.org. 60 IN A 10.0.0.1"]);
    await vi.waitFor(() => expect(rigged?.lines.join("")).toContain(`the upstream ${back.address} leads back here`), 10_000);
    expect(texts(await rigged.ask("a.org."))).toEqual(["a.org. 60 IN A 10.0.0.1"]);
    for (const { close } of [back, good]) close();
  });

  test("a plugin that throws costs one answer", async () => {
    const { ask, metrics } = await rig("whoami", undefined);
    expect((await ask("a.org."))?.rcode).toBe(rcodes.NOERROR);
    const broken = await rig("", () => {
      throw new Error("fault");
    });
    expect((await broken.ask("a.org."))?.rcode).toBe(rcodes.SERVFAIL);
    expect(broken.metrics.text()).toContain("coredns_panics_total 1");
    expect(metrics.text()).not.toContain("coredns_panics_total 1");
  });

  test("every plugin has a README with its name and syntax", () => {
    const folders = globSync("*/setup.ts", { cwd: import.meta.dirname }).map((path) => path.split("/")[0] as string);
    const names = pluginList({ kubernetes: undefined }).map(({ name }) => name);
    expect(folders.sort()).toEqual([...names].sort());
    for (const folder of folders) {
      const text = readFileSync(join(import.meta.dirname, folder, "README.md"), "utf8");
      for (const part of [`# ${folder}\n`, "**Name**", "**Syntax**", "**Description**"]) expect(text, `${folder} ${part}`).toContain(part);
    }
  });
});
