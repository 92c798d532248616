/** Our agnhost does and says what upstream's does (kubernetes/kubernetes test/images/agnhost). */
import { spawn, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { modeText } from "../../examples/agnhost/mounttest.ts";
import { readNetcatFlags } from "../../examples/agnhost/nc.ts";
import { parseDuration, readFlags } from "../../examples/agnhost/flags.ts";
import { grpcProbe } from "../../src/kubelet/probes/grpc-probe.ts";
import { connectFromHost } from "../../src/kubelet/runtime/connect.ts";

const main = join(import.meta.dirname, "../../examples/agnhost/main.ts");
// An address of this test process's own: its ports are free, whoever else runs.
const host = `127.${100 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 250}.7`;
const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

function start(words: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const child = spawn(process.execPath, [main, ...words], { env: { HOST: host, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  return child;
}

async function run(...words: string[]): Promise<{ code: number; output: string }> {
  const child = start(words);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number>((resolve) => child.once("close", (status) => resolve(status ?? -1)));
  return { code, output };
}

/** Until the server answers: it says nothing when it listens. */
async function get(port: number, path = "/", options: RequestInit = {}): Promise<Response> {
  for (;;) {
    try {
      return await fetch(`http://${host}:${port}${path}`, { redirect: "manual", ...options });
    } catch (error) {
      if ((error as { cause?: { code?: string } }).cause?.code !== "ECONNREFUSED") throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

const text = async (port: number, path?: string) => (await get(port, path)).text();

test("netexec", { timeout: 60_000 }, async () => {
  start(["netexec", "--http-port", "8080", "--udp-port=8081"], { FAIRLEAD_POD: "here" });
  expect(await text(8080, "/hostname")).toBe(hostname());
  expect(await text(8080, "/")).toMatch(/^NOW: /);
  expect(await text(8080, "/clientip")).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(await text(8080, "/serverport")).toBe("8080");
  const echo = await get(8080, "/echo?msg=hi&code=418");
  expect([echo.status, await echo.text()]).toEqual([418, "hi"]);
  expect(await (await get(8080, "/header?key=X-Test", { headers: { "x-test": "yes" } })).text()).toBe("yes");
  const redirect = await get(8080, "/redirect?location=/echo%3Fmsg=x&code=307");
  expect([redirect.status, redirect.headers.get("location")]).toEqual([307, "/echo?msg=x"]);
  expect((await get(8080, "/healthz")).status).toBe(200);
  expect(JSON.parse(await text(8080, `/dial?host=${host}&port=8080&request=echo%3Fmsg=a&tries=2`))).toEqual({ responses: ["a", "a"] });
  expect(JSON.parse(await text(8080, `/dial?host=${host}&port=8081&protocol=udp&request=hostname`))).toEqual({ responses: [hostname()] });
  expect(Object.keys(JSON.parse(await text(8080, `/dial?host=${host}&port=1&request=x`)) as object)).toEqual(["errors"]);
  expect((await get(8080, "/dial?host=x&port=1")).status).toBe(400);
  expect((await get(8080, "/shell?cmd=id")).status).toBe(403);
  const [server] = running as [ChildProcess];
  const ended = new Promise((resolve) => server.once("close", resolve));
  await get(8080, "/exit?code=7");
  expect(await ended).toBe(7);
});

test("serve-hostname over HTTP and UDP, porter, test-webserver", { timeout: 60_000 }, async () => {
  start(["serve-hostname", "--udp", "--http=true", "--port", "9376"]);
  expect(await text(9376)).toBe(hostname());
  const socket = createSocket("udp4");
  const answer = new Promise((resolve) => socket.once("message", (message) => resolve(message.toString())));
  socket.send("x", 9376, host);
  expect(await answer).toBe(`${hostname()}\n`);
  socket.close();
  start(["porter"], { SERVE_PORT_8082: "foo", SERVE_PORT_8083: "bar" });
  expect([await text(8082), await text(8083)]).toEqual(["foo", "bar"]);
  start(["porter"], { SERVE_TLS_PORT_8086: "<a href='/'>secret</a>" });
  const secure = await untilConnected(8086);
  expect([secure.getPeerX509Certificate()?.checkHost("localhost"), secure.encrypted]).toEqual(["localhost", true]);
  secure.destroy();
  start(["test-webserver", "--port", "8084"]);
  expect(await text(8084, "/etc/hosts")).toContain("localhost");
  expect((await get(8084, "/no/such")).status).toBe(404);
});

async function untilConnected(port: number): Promise<TLSSocket> {
  for (;;) {
    const socket = connectTls({ host, port, rejectUnauthorized: false });
    const outcome = await new Promise((resolve) => socket.once("secureConnect", resolve).once("error", resolve));
    if (outcome === undefined) return socket;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("nc sends its input and prints the answer; netexec by UDP, and while it ends", { timeout: 60_000 }, async () => {
  const server = start(["netexec", "--http-port", "8087", "--udp-port", "8088", "--delay-shutdown", "60"]);
  expect(await text(8087, "/readyz")).toBe("ok");
  const ask = async (input: string, ...words: readonly string[]) => {
    const child = spawn(process.execPath, [main, "nc", ...words], { stdio: ["pipe", "pipe", "ignore"] });
    running.push(child);
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stdin.end(input);
    const code = await new Promise((resolve) => child.once("close", resolve));
    return [code, output];
  };
  expect(await ask("serverport\n", "-u", "-w", "1", host, "8088")).toEqual([0, "8088"]);
  expect(await ask("GET /hostname HTTP/1.0\r\n\r\n", "-v", "-w5", host, "8087")).toEqual([
    0,
    expect.stringMatching(new RegExp(`${hostname()}$`)),
  ]);
  expect(await ask("", "-z", host, "8087")).toEqual([0, ""]);
  expect(await ask("", "-w", "2", host, "1")).toEqual([1, ""]);
  expect(() => readNetcatFlags(["-l", "80"])).toThrow("nc -l: Fairlead's nc has");
  expect(readNetcatFlags(["-vu", "-w5", "-p", "7", "h", "80"])).toMatchObject({
    udp: true,
    verbose: true,
    wait: 5,
    sourcePort: 7,
    host: "h",
    port: 80,
  });
  server.kill("SIGTERM");
  await expect.poll(async () => (await get(8087, "/readyz")).status, { timeout: 20_000 }).toBe(503);
  expect((await get(8087, "/healthz")).status).toBe(200);
});

test("guestbook: what the primary is told its replica knows; mounttest says what a file is", { timeout: 60_000 }, async () => {
  start(["guestbook", "--http-port", "8090", "--backend-port", "8090"]);
  expect(JSON.parse(await text(8090, "/set?key=messages&value=first"))).toEqual({ message: "Updated" });
  const second = `${host.slice(0, host.lastIndexOf("."))}.8`;
  start(["guestbook", "--http-port", "8090", "--backend-port", "8090", "--replicaof", host], { HOST: second });
  const replica = async (path: string) => JSON.parse(await (await fetch(`http://${second}:8090${path}`)).text()) as unknown;
  await expect.poll(() => replica("/get?key=messages").catch(String), { timeout: 20_000 }).toEqual({ data: "first" });
  await text(8090, "/set?key=messages&value=second");
  expect(await replica("/get")).toEqual({ data: { messages: "second" } });
  expect((await get(8090, "/guestbook?cmd=delete")).status).toBe(400);

  const folder = mkdtempSync(join(tmpdir(), "mounttest-"));
  try {
    const path = join(folder, "file");
    expect(await run("mounttest", `--new_file_0660=${path}`, `--file_perm=${path}`, `--file_mode=${path}`)).toEqual({
      code: 0,
      output: `content of file "${path}": mount-tester new file\n\nmode of file "${path}": -rw-rw----\nperms of file "${path}": -rw-rw----\n`,
    });
    expect((await run("mounttest", `--file_content=${path}-not`)).code).toBe(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect([modeText(0o041777), modeText(0o100644), modeText(0o755)]).toEqual(["dtrwxrwxrwx", "-rw-r--r--", "-rwxr-xr-x"]);
});

test("grpc-health-checking, with its switches", { timeout: 60_000 }, async () => {
  start(["grpc-health-checking", "--port", "5000", "--http-port", "8085"]);
  await get(8085, "/make-serving");
  expect(await grpcProbe(host, 5000, "", 10_000, connectFromHost)).toEqual({ ok: true });
  await get(8085, "/make-not-serving");
  expect((await grpcProbe(host, 5000, "", 10_000, connectFromHost)).ok).toBe(false);
  expect((await grpcProbe(host, 5000, "other", 10_000, connectFromHost)).ok).toBe(false);
});

test("connect says in a word how it failed; the rest print and end", { timeout: 60_000 }, async () => {
  expect(await run("connect", `${host}:1`)).toEqual({ code: 1, output: "REFUSED\n" });
  expect((await run("connect", "no-such-name.invalid:80")).output).toMatch(/^DNS: /);
  expect((await run("connect", "nonsense")).output).toMatch(/^UNKNOWN: /);
  expect((await run("connect", "--protocol", "sctp", "127.0.0.1:1")).output).toMatch(/^UNKNOWN: protocol sctp is not supported/);
  expect(await run("entrypoint-tester", "a", "b")).toEqual({ code: 0, output: "[/agnhost entrypoint-tester a b]\n" });
  expect((await run("etc-hosts")).output).toContain("localhost");
  expect((await run("logs-generator", "-t", "3", "-d", "30ms")).output.trim().split("\n")).toHaveLength(3);
  expect(await run("no-such")).toMatchObject({
    code: 1,
    output: expect.stringContaining("no such subcommand; there are: connect") as string,
  });
});

test("flags as Go takes them", () => {
  const flags = readFlags(["--port=1", "--tcp", "--http=false", "--other", "-1", "word"], {
    port: "0",
    tcp: false,
    http: true,
    other: "x",
  });
  expect([flags.number("port"), flags.flag("tcp"), flags.flag("http"), flags.text("other"), flags.words]).toEqual([
    1,
    true,
    false,
    "-1",
    ["word"],
  ]);
  expect(() => readFlags(["--unknown"], {})).toThrow("unknown");
  expect(() => readFlags(["--port", "x"], { port: "0" }).number("port")).toThrow("not a number");
});

test.each([
  ["1m30s", 90_000],
  ["500ms", 500],
  ["1.5s", 1500],
  ["0", 0],
  ["", 0],
])("the duration %j is %d ms", (duration, ms) => {
  expect(parseDuration(duration)).toBe(ms);
  expect(() => parseDuration(`${duration}x`)).toThrow("is no duration");
});
