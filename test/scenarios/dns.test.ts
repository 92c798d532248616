/** `fairlead dns` as a program, asked by the tools that people use; each test skips itself where its tool is missing. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi, type TestContext } from "vitest";
import { recordTypes } from "../../src/decide/dns/records.ts";
import { exchangeUdp } from "../../src/dns/client/exchange.ts";
import { createQuery } from "../../src/dns/wire/message.ts";
import { realClock } from "../../src/lib/clock.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "fairlead-dns-program-"));
const children: ChildProcess[] = [];
const timeout = 120_000;

afterEach(async () => void (await Promise.all(children.splice(0).map(ended))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
  });
}

function needs(context: TestContext, program: string, ...args: string[]): void {
  if (spawnSync(program, args, { timeout: 20_000 }).error !== undefined) context.skip(`needs the program ${program}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

interface Program {
  readonly port: number;
  readonly child: ChildProcess;
  readonly output: () => string;
  reload(corefile: string): void;
}

/** Resolves once it answers. `corefile` is given the port. */
async function start(corefile: (port: number) => string): Promise<Program> {
  const port = await freePort();
  const path = join(folder, `Corefile-${port}`);
  writeFileSync(path, corefile(port));
  const child = spawn("sh", [join(root, "bin/node"), join(root, "src/cmd/fairlead.ts"), "dns", "-conf", path, "-pidfile", `${path}.pid`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const query = createQuery("anything.", recordTypes.A, { id: 1 });
  await vi.waitFor(() => exchangeUdp(query, { host: "127.0.0.1", port, clock: realClock, timeoutMs: 1000 }), {
    timeout: 60_000,
    interval: 100,
  });
  const reload = (text: string) => {
    writeFileSync(path, text);
    child.kill("SIGUSR1");
  };
  return { port, child, reload, output: () => output };
}

/** Not in the foreground's way: the server needs its turn on a machine of one core too. */
function run(program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("error", reject);
    child.once("close", () => resolve(output));
  });
}

const zoneFile = `$ORIGIN example.org.
$TTL 60
@ SOA ns admin 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
www CNAME web
web A 192.0.2.7
web AAAA 2001:db8::7
_http._tcp SRV 0 100 80 web
@ MX 10 web
@ TXT "one two" three
*.wild A 192.0.2.9
svc HTTPS 1 web alpn=h2,h3 port=8443
`;

async function startZone(): Promise<Program> {
  writeFileSync(join(folder, "db.example.org"), zoneFile);
  const reverse = `7.2.0.192.in-addr.arpa`;
  return start(
    (port) =>
      `example.org:${port} {\n bind 127.0.0.1\n file db.example.org\n transfer {\n to *\n }\n}\n.:${port} {\n bind 127.0.0.1\n hosts /nowhere/hosts ${reverse} {\n 192.0.2.7 web.example.org\n fallthrough\n }\n nsid here\n whoami\n}\n`,
  );
}

test("dig: sections, flags, transfers, names in any case", { timeout }, async (context) => {
  needs(context, "dig", "-v");
  const { port } = await startZone();
  const dig = (...args: string[]) => run("dig", "@127.0.0.1", "-p", String(port), "+tries=3", ...args);
  expect((await dig("+short", "www.example.org")).trim().split("\n")).toEqual(["web.example.org.", "192.0.2.7"]);
  expect((await dig("+short", "SRV", "_http._tcp.example.org")).trim()).toBe("0 100 80 web.example.org.");
  expect((await dig("+short", "-x", "192.0.2.7")).trim()).toBe("web.example.org.");
  expect((await dig("+short", "TXT", "example.org")).trim()).toBe('"one two" "three"');
  const whole = await dig("WeB.eXaMpLe.OrG", "AAAA");
  expect(whole).toContain("flags: qr aa rd;");
  expect(whole).toMatch(/WeB\.eXaMpLe\.OrG\.\s+60\s+IN\s+AAAA\s+2001:db8::7/);
  expect(await dig("nothing.example.org")).toMatch(
    /status: NXDOMAIN[^]*example\.org\.\s+60\s+IN\s+SOA\s+ns\.example\.org\. admin\.example\.org\. 1 /,
  );
  expect((await dig("AXFR", "example.org")).match(/\sIN\s/g)?.length).toBe(12);
  expect(await dig("+nsid", "other.example.net")).toContain('NSID: 68 65 72 65 ("here")');
  expect(await dig("+short", "HTTPS", "svc.example.org")).toContain('1 web.example.org. alpn="h2,h3" port=8443');
});

test("kdig, delv and nslookup agree", { timeout }, async (context) => {
  for (const [program, ...args] of [
    ["kdig", "-V"],
    ["delv", "-v"],
    ["nslookup", "-version"],
  ] as const)
    needs(context, program, ...args);
  const { port } = await startZone();
  const at = String(port);
  expect((await run("kdig", "@127.0.0.1", "-p", at, "+short", "+tcp", "web.example.org")).trim()).toBe("192.0.2.7");
  expect(await run("delv", "@127.0.0.1", "-p", at, "-i", "+short", "web.example.org")).toContain("192.0.2.7");
  const looked = await run("nslookup", `-port=${at}`, "x.wild.example.org", "127.0.0.1");
  expect(looked).toMatch(/Name:\s+x\.wild\.example\.org\s+Address: 192\.0\.2\.9/);
});

test("unbound as a client takes the answers", { timeout }, async (context) => {
  needs(context, "unbound", "-h");
  needs(context, "dig", "-v");
  const { port } = await startZone();
  const own = await freePort();
  const configuration = join(folder, "unbound.conf");
  writeFileSync(
    configuration,
    `server:\n interface: 127.0.0.1@${own}\n do-daemonize: no\n use-syslog: no\n username: ""\n chroot: ""\n pidfile: ""\n do-not-query-localhost: no\n module-config: "iterator"\n local-zone: "example.org." nodefault\nstub-zone:\n name: "example.org"\n stub-addr: 127.0.0.1@${port}\nremote-control:\n control-enable: no\n`,
  );
  children.push(spawn("unbound", ["-d", "-p", "-c", configuration], { stdio: "ignore" }));
  const ask = () => run("dig", "@127.0.0.1", "-p", String(own), "+short", "+tries=1", "+time=2", "www.example.org");
  await vi.waitFor(async () => expect((await ask()).trim().split("\n")).toEqual(["web.example.org.", "192.0.2.7"]), {
    timeout: 60_000,
    interval: 300,
  });
});

test("a name put into a real etcd is answered, and its change too", { timeout }, async (context) => {
  needs(context, "etcd", "--version");
  const [client, peer] = [await freePort(), await freePort()];
  const url = (port: number) => `http://127.0.0.1:${port}`;
  children.push(
    spawn(
      "etcd",
      [
        "--data-dir",
        join(folder, "etcd"),
        "--listen-client-urls",
        url(client),
        "--advertise-client-urls",
        url(client),
        "--listen-peer-urls",
        url(peer),
        "--initial-advertise-peer-urls",
        url(peer),
        "--initial-cluster",
        `default=${url(peer)}`,
      ],
      { stdio: "ignore" },
    ),
  );
  const put = (key: string, value: object) =>
    fetch(`${url(client)}/v3/kv/put`, {
      method: "POST",
      body: JSON.stringify({ key: Buffer.from(key).toString("base64"), value: Buffer.from(JSON.stringify(value)).toString("base64") }),
    });
  await vi.waitFor(async () => expect((await put("/skydns/com/mycompany", { host: "10.1.1.1", ttl: 60 })).status).toBe(200), {
    timeout: 60_000,
    interval: 300,
  });
  await put("/skydns/com/many/a", { host: "10.1.1.2", port: 80 });
  await put("/skydns/com/many/b", { host: "10.1.1.3", port: 80, priority: 20 });
  await put("/skydns/com/alias", { host: "mycompany.com" });
  await put("/skydns/com/note", { text: "hello" });
  const { port } = await start(
    (at) => `.:${at} {\n bind 127.0.0.1\n etcd com {\n path /skydns\n endpoint ${url(client)}\n }\n whoami\n}\n`,
  );
  const ask = async (name: string, type: number) => {
    const message = await exchangeUdp(createQuery(name, type, { id: 3 }), { host: "127.0.0.1", port, clock: realClock, timeoutMs: 20_000 });
    const { recordText } = await import("../../src/dns/wire/text.ts");
    return [message.rcode, ...message.answers.map(recordText)];
  };
  const { A, SRV, TXT } = recordTypes;
  expect(await ask("mycompany.com.", A)).toEqual([0, "mycompany.com. 60 IN A 10.1.1.1"]);
  expect(await ask("many.com.", A)).toEqual([0, "many.com. 300 IN A 10.1.1.2", "many.com. 300 IN A 10.1.1.3"]);
  expect(await ask("many.com.", SRV)).toEqual([
    0,
    "many.com. 300 IN SRV 10 100 80 a.many.com.",
    "many.com. 300 IN SRV 20 100 80 b.many.com.",
  ]);
  expect(await ask("alias.com.", A)).toEqual([0, "alias.com. 300 IN CNAME mycompany.com.", "mycompany.com. 60 IN A 10.1.1.1"]);
  expect(await ask("note.com.", TXT)).toEqual([0, 'note.com. 300 IN TXT "hello"']);
  expect(await ask("gone.com.", A)).toEqual([3]);
  await put("/skydns/com/mycompany", { host: "10.1.1.9", ttl: 60 });
  expect(await ask("mycompany.com.", A)).toEqual([0, "mycompany.com. 60 IN A 10.1.1.9"]);
});

test("reloading under load loses no query, and a bad Corefile changes nothing", { timeout }, async () => {
  const corefile = (port: number, address: string) =>
    `.:${port} {\n bind 127.0.0.1\n errors\n hosts /nowhere/hosts {\n ${address} a.example.org\n }\n}\n`;
  const program = await start((port) => corefile(port, "10.0.0.1"));
  const socket = createSocket("udp4");
  const { encode } = await import("../../src/dns/wire/encode.ts");
  let [sent, received] = [0, 0];
  socket.on("message", () => received++);
  const sending = setInterval(() => {
    for (let i = 0; i < 20; i++)
      socket.send(encode(createQuery("a.example.org.", recordTypes.A, { id: sent++ & 0xffff })), program.port, "127.0.0.1");
  }, 5);
  for (let i = 2; i < 7; i++) {
    program.reload(corefile(program.port, `10.0.0.${i}`));
    await vi.waitFor(() => expect(program.output().match(/Reloading complete/g)?.length).toBe(i - 1), { timeout: 30_000, interval: 20 });
  }
  program.reload(".:53 { nonsense }");
  await vi.waitFor(() => expect(program.output()).toContain("the old one stays"), { timeout: 30_000, interval: 20 });
  clearInterval(sending);
  await vi.waitFor(() => expect(received).toBe(sent), { timeout: 20_000, interval: 50 });
  expect(sent).toBeGreaterThan(100);
  socket.close();
});

test("check and plan tell what a Corefile is; the process number is written and goes", { timeout }, async () => {
  const path = join(folder, "Corefile");
  writeFileSync(path, "example.org {\n    cache 30\n    forward . 9.9.9.9\n}\n");
  const fairlead = (...args: string[]) => run("sh", join(root, "bin/node"), join(root, "src/cmd/fairlead.ts"), "dns", ...args);
  expect(await fairlead("check", path)).toContain("is good: 1 server, 1 zone");
  expect(await fairlead("plan", path)).toMatch(/dns:\/\/:53\s+example\.org\.\s+cache → forward/);
  writeFileSync(path, "example.org {\n    cache 30\n    dnssec\n}\n");
  expect(await fairlead("check", path)).toMatch(
    /Corefile:3 - Error during parsing: directive 'dnssec' is CoreDNS's, but not supported here/,
  );
  const program = await start((port) => `.:${port} {\n bind 127.0.0.1\n whoami\n}\n`);
  const pid = join(folder, `Corefile-${program.port}.pid`);
  expect(Number(readFileSync(pid, "utf8"))).toBe(program.child.pid);
  await ended(program.child);
  expect(() => readFileSync(pid)).toThrow();
});
