import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { recordTypes as T } from "../../decide/dns/records.ts";
import { realClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { systemSources } from "../corefile/sources.ts";
import { defaultCorefile } from "../default-corefile.ts";
import { decode } from "../wire/decode.ts";
import { encode } from "../wire/encode.ts";
import { createQuery, type Message } from "../wire/message.ts";
import { messageText } from "../wire/text.ts";
import { createDnsServer, type DnsServer, type DnsServerOptions } from "./server.ts";

const started: DnsServer[] = [];
afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
});

async function serve(corefile: string, options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const server = createDnsServer({
    corefile,
    file: "Corefile",
    plugins: { kubernetes: undefined },
    listen: () => [{ host: "127.0.0.1", port: 0 }],
    httpPort: () => 0,
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
    ...options,
  });
  await server.start();
  started.push(server);
  return server;
}

const portOf = (server: DnsServer, label = "dns://:53") => server.addresses().get(label)?.port ?? 0;

/** Packets as they are, one answer each; undefined where none comes. */
function udp(port: number, packet: Uint8Array, waitMs = 2000): Promise<Buffer | undefined> {
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    const done = (answer?: Buffer) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(done, waitMs);
    socket.once("message", done);
    socket.send(packet, port, "127.0.0.1");
  });
}

function tcp(port: number, queries: readonly Message[]): Promise<readonly Message[]> {
  const socket = connect({ host: "127.0.0.1", port });
  const framed = queries.map((query) => {
    const bytes = encode(query);
    return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
  });
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const answers: Message[] = [];
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
        answers.push(message(received.subarray(2, 2 + received.readUInt16BE())));
        received = received.subarray(2 + received.readUInt16BE());
      }
      if (answers.length < queries.length) return;
      socket.destroy();
      resolve(answers);
    });
    socket.write(Buffer.concat(framed));
  });
}

function message(bytes: Uint8Array | undefined): Message {
  const result = decode(bytes ?? new Uint8Array(0));
  if (result.kind === "error") throw new Error(result.reason);
  return result.message;
}

const manyHosts = (count: number) => Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255} many.example.org`).join("\n");
const hosts = (lines: string) => `.:53 {\n hosts {\n ${lines}\n }\n}`;

describe("over sockets", () => {
  test("answers node's resolver", async () => {
    const server = await serve(hosts("10.1.2.3 web.example.org"));
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`127.0.0.1:${portOf(server)}`]);
    expect(await resolver.resolve4("web.example.org")).toEqual(["10.1.2.3"]);
    expect(await resolver.reverse("10.1.2.3")).toEqual(["web.example.org"]);
    await expect(resolver.resolve4("gone.example.org")).rejects.toMatchObject({ code: "ESERVFAIL" });
  });

  test("cuts what a UDP client cannot take, says so, and gives the whole by TCP", async () => {
    const server = await serve(hosts(manyHosts(100)));
    const query = createQuery("many.example.org.", T.A, { id: 9 });
    const small = await udp(portOf(server), encode(query));
    expect(small?.length).toBeLessThanOrEqual(512);
    expect(message(small).truncated).toBe(true);
    const edns = { udpSize: 4096, version: 0, dnssecOk: false, options: [] };
    const large = await udp(portOf(server), encode({ ...query, edns }));
    expect(large?.length).toBeGreaterThan(512);
    expect(large?.length).toBeLessThanOrEqual(1232);
    const [whole] = await tcp(portOf(server), [query]);
    expect(whole?.truncated).toBe(false);
    expect(whole?.answers.length).toBe(100);
  });

  test("answers several questions on one connection", async () => {
    const server = await serve(hosts("10.1.2.3 web.example.org"));
    const queries = Array.from({ length: 200 }, (_, id) => createQuery("web.example.org.", T.A, { id }));
    const answers = await tcp(portOf(server), queries);
    expect(answers.map(({ id }) => id).sort((a, b) => a - b)).toEqual(queries.map(({ id }) => id));
  });

  test("keeps the case of a name", async () => {
    const server = await serve(hosts("10.1.2.3 web.example.org"));
    const answer = message(await udp(portOf(server), encode(createQuery("wEb.ExAmPlE.oRg.", T.A))));
    expect(answer.questions[0]?.name).toBe("wEb.ExAmPlE.oRg.");
    expect(answer.answers[0]?.name).toBe("wEb.ExAmPlE.oRg.");
  });

  test("refuses what it cannot read, and is silent towards answers and scraps", async () => {
    const server = await serve(hosts("10.1.2.3 web.example.org"));
    const port = portOf(server);
    const query = createQuery("web.example.org.", T.A, { id: 77 });
    expect(messageText(message(await udp(port, encode(query).subarray(0, 20))))).toBe("FORMERR qr rd");
    expect(messageText(message(await udp(port, encode({ ...query, opcode: 5 }))))).toContain("NOTIMP");
    expect(message(await udp(port, encode({ ...query, edns: { udpSize: 512, version: 1, dnssecOk: false, options: [] } }))).rcode).toBe(16);
    const cookie = (length: number) => ({
      udpSize: 512,
      version: 0,
      dnssecOk: false,
      options: [{ code: 10, data: new Uint8Array(length) }],
    });
    expect(message(await udp(port, encode({ ...query, edns: cookie(9) }))).rcode).toBe(1);
    expect(message(await udp(port, encode({ ...query, edns: cookie(8) }))).rcode).toBe(0);
    expect(message(await udp(port, encode({ ...query, questions: [{ name: "x.", type: T.A, class: 3 }] }))).rcode).toBe(5);
    expect(await udp(port, encode({ ...query, response: true }), 100)).toBeUndefined();
    expect(await udp(port, Uint8Array.of(1, 2, 3), 100)).toBeUndefined();
  });

  test("says by FL_LISTEN what it cannot bind", async () => {
    const first = await serve(hosts("10.1.2.3 web.example.org"));
    const listen = () => [{ host: "127.0.0.1", port: portOf(first) }];
    await expect(serve(hosts("10.1.2.3 a"), { listen })).rejects.toMatchObject({ code: "FL_LISTEN" });
    const second = await serve(hosts("10.1.2.3 a"), { listen: () => [...listen(), { host: "127.0.0.1", port: 0 }] });
    expect(portOf(second)).not.toBe(portOf(first));
  });
});

describe("blocks", () => {
  test("the longest zone answers, one without plugins refuses, another port is another server", async () => {
    const server = await serve(`
      .:53 {
        hosts {
          10.0.0.1 a.example.org a.other.org
        }
      }
      example.org:53 {
        hosts {
          10.0.0.2 a.example.org
        }
      }
      empty.org:53 {
      }
      .:54 {
        whoami
      }`);
    const address = async (name: string) => (await server.query(name, T.A)).answers.map(({ data }) => data);
    expect(await address("a.example.org")).toEqual([{ kind: "address", address: "10.0.0.2" }]);
    expect(await address("a.other.org")).toEqual([{ kind: "address", address: "10.0.0.1" }]);
    expect((await server.query("x.empty.org", T.A)).rcode).toBe(5);
    const whoami = message(await udp(portOf(server, "dns://:54"), encode(createQuery("me.", T.A))));
    expect(messageText(whoami)).toMatch(
      /^NOERROR qr aa rd; me\. IN A; additionals: me\. 0 IN A 127\.0\.0\.1, _udp\.me\. 0 IN SRV 0 0 \d+ \.$/,
    );
  });

  test("what no block serves is refused and counted as dropped", async () => {
    const metrics = new MetricsRegistry();
    const server = await serve("example.org:53 {\n whoami\n}", { metrics });
    expect((await server.query("other.net", T.A)).rcode).toBe(5);
    expect(metrics.text()).toContain('coredns_dns_responses_total{server="dns://:53",zone="dropped",view="",rcode="REFUSED",plugin=""} 1');
  });

  test("kubeadm's Corefile starts where there is no resolv.conf, once it has a cluster", async () => {
    const sources = {
      ...systemSources,
      readFile: () => {
        throw new Error("ENOENT");
      },
    };
    const corefile = defaultCorefile("cluster.local").replace(/kubernetes [^}]*\}/s, "");
    const server = await serve(corefile, { sources });
    expect((await server.query("example.org", T.A)).rcode).toBe(2);
    expect([...server.httpAddresses().keys()].sort()).toEqual(["/health", "/metrics", "/ready"]);
    const { port } = server.httpAddresses().get("/health") ?? { port: 0 };
    expect(await (await fetch(`http://127.0.0.1:${port}/health`)).text()).toBe("OK");
  });
});

describe("a reload", () => {
  test("takes the new Corefile into use, without losing a query", async () => {
    const server = await serve(hosts("10.0.0.1 a.example.org"));
    const port = portOf(server);
    let lost = 0;
    const asking = new AbortController();
    const asker = (async () => {
      while (!asking.signal.aborted) {
        const answer = await udp(port, encode(createQuery("a.example.org.", T.A)));
        if (answer === undefined || message(answer).answers.length !== 1) lost++;
      }
    })();
    for (let i = 2; i < 12; i++) expect(await server.reload(hosts(`10.0.0.${i} a.example.org`))).toEqual({ ok: true });
    asking.abort();
    await asker;
    expect(lost).toBe(0);
    expect((await server.query("a.example.org", T.A)).answers[0]?.data).toEqual({ kind: "address", address: "10.0.0.11" });
    expect(portOf(server)).toBe(port);
  });

  test("that cannot be used changes nothing and says where it fails", async () => {
    const metrics = new MetricsRegistry();
    const server = await serve(hosts("10.0.0.1 a.example.org"), { metrics });
    const result = await server.reload(".:53 {\n hosts {\n  10.0.0.2 a\n }\n nonsense\n}");
    expect(result).toMatchObject({
      ok: false,
      message: expect.stringContaining("Corefile:5 - Error during parsing: Unknown directive 'nonsense'"),
    });
    expect((await server.query("a.example.org", T.A)).answers.length).toBe(1);
    expect(metrics.text()).toContain("coredns_reload_failed_total 1");
  });

  test("opens and closes addresses as the Corefile names them", async () => {
    const server = await serve(".:53 .:54 {\n whoami\n}");
    expect([...server.addresses().keys()]).toEqual(["dns://:53", "dns://:54"]);
    await server.reload(".:53 .:55 {\n whoami\n}");
    await new Promise((resolve) => setImmediate(resolve));
    await server.reload(".:53 .:55 {\n whoami\n}");
    expect([...server.addresses().keys()].sort()).toEqual(["dns://:53", "dns://:55"]);
  });
});
