/**
 * No request reaches an endpoint twice or split in two, whichever parser the endpoint has. Each endpoint says in every answer what
 * it saw, and a tap on its connections reads all of its answers, also those that no client gets.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Opened, rawClient, startEngine, type TestEngine } from "../../src/gateway/testing.ts";
import { encodeFields, flags, frameClient, frameTypes, requestFields, type Received } from "../../src/gateway/testing-http2.ts";
import { accepts, freePort } from "../support/ports.ts";
import { frameAttacks } from "./smuggling-frames.ts";
import { attacks } from "./smuggling-requests.ts";

const patient = 120_000;

interface Peer {
  readonly name: string;
  readonly program?: string;
  /** Starts it on the port; `directory` is its own. */
  start(port: number, directory: string): ChildProcess | Server;
}

const python = `
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", "0")))
        text = ("SAW %s %s\\n" % (self.command, self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        if "chunked" in self.headers.get("transfer-encoding", ""):
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)
    do_GET = do_POST = do_HEAD = do_PUT = answer
    def log_message(self, *args): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
`;

const peers: readonly Peer[] = [
  {
    name: "Node",
    start: (port) => {
      const server = createHttpServer((request, response) => {
        request.resume();
        request.on("end", () => response.end(`SAW ${request.method} ${request.url}\n`));
      });
      return server.listen(port, "127.0.0.1");
    },
  },
  {
    name: "nginx",
    program: "nginx",
    start: (port, directory) => {
      const file = join(directory, "nginx.conf");
      const http = `access_log off; client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p; fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s; server { listen 127.0.0.1:${port}; location / { return 200 "SAW $request_method $request_uri\\n"; } }`;
      writeFileSync(file, `daemon off; master_process off; pid ${directory}/pid; error_log /dev/null; events {} http { ${http} }`);
      return spawn("nginx", ["-c", file, "-e", "/dev/null"], { stdio: "ignore" });
    },
  },
  {
    name: "HAProxy",
    program: "haproxy",
    start: (port, directory) => {
      const file = join(directory, "haproxy.cfg");
      const answer = 'http-request return status 200 content-type text/plain lf-string "SAW %[method] %[path]\\n"';
      writeFileSync(file, `defaults\n mode http\n timeout client 60s\nfrontend f\n bind 127.0.0.1:${port}\n ${answer}\n`);
      return spawn("haproxy", ["-db", "-f", file], { stdio: "ignore" });
    },
  },
  { name: "Python", program: "python3", start: (port) => spawn("python3", ["-c", python, String(port)], { stdio: "ignore" }) },
];

function available({ program }: Peer): boolean {
  if (program === undefined) return true;
  const found = () => spawnSync("which", [program], { stdio: "ignore" }).status === 0;
  if (!found() && process.getuid?.() === 0) {
    const packages = { nginx: "nginx-light" }[program] ?? program;
    spawnSync("apt-get", ["install", "-y", "--no-install-recommends", packages], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: "ignore",
      timeout: patient,
    });
  }
  return found();
}

describe.each(peers)("before $name", (peer) => {
  const usable = available(peer);
  const lasting = new Opened();
  const opened = new Opened();
  let directory = "";
  let engine: TestEngine;
  /** Everything that the endpoint has answered. */
  let answered = "";

  beforeAll(async () => {
    if (!usable) return;
    directory = mkdtempSync(join(tmpdir(), "fairlead-peer-"));
    const port = await freePort();
    const running = peer.start(port, directory);
    lasting.add(running, () =>
      "kill" in running ? running.kill("SIGKILL") : (running as Server & { closeAllConnections(): void }).closeAllConnections(),
    );
    if (!("kill" in running)) lasting.add(running, () => running.close());
    await accepts(port);
    const tap = createServer((socket) => {
      const upstream = connect(port, "127.0.0.1");
      for (const each of [socket, upstream]) each.on("error", () => each.destroy());
      upstream.on("data", (bytes: Buffer) => (answered += bytes.toString("latin1")));
      socket.pipe(upstream).pipe(socket);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => tap.once("listening", resolve));
    lasting.add(tap, () => tap.close());
    // Requests that wait for bytes that never come are what is tried here: they need not wait long.
    engine = await startEngine(lasting, [(tap.address() as AddressInfo).port], { headMs: 200, bodyMs: 200, responseMs: 60_000 });
  }, patient);
  afterEach(() => opened.closeAll());
  afterAll(async () => {
    await lasting.closeAll();
    if (directory !== "") rmSync(directory, { recursive: true, force: true });
  });

  const count = (list: readonly string[], path: string) => list.filter((each) => each.endsWith(path)).length;

  /** Others that come afterwards over the endpoint's kept connections get their own answers, and it saw no more than the gateway did. */
  async function othersAreServed(): Promise<void> {
    for (const path of ["/other-1", "/other-2", "/other-3"]) {
      const other = rawClient(opened, engine.port);
      other.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      expect(await other.closed()).toContain(`SAW GET ${path}\n`);
    }
    const seen = answered.match(/SAW \S+ \S+/g) ?? [];
    // The hidden request may be seen where it is no secret: as the plain next request of this client, which the gateway saw too.
    const gatewaySaw = engine.records
      .splice(0)
      .flatMap(({ request }) => (request === undefined ? [] : [`${request.method} ${request.path}`]));
    expect(seen.length).toBeLessThanOrEqual(gatewaySaw.length);
    for (const line of seen) expect(gatewaySaw).toContain(line.slice(4));
    expect(count(seen, "/smuggled")).toBeLessThanOrEqual(count(gatewaySaw, "/smuggled"));
    expect(count(seen, "/outer")).toBeLessThanOrEqual(1);
  }

  test.for(attacks)("$name", { timeout: patient }, async ({ name, text }, ctx) => {
    if (!usable) return ctx.skip(`needs ${peer.program}`);
    answered = "";
    const attacker = rawClient(opened, engine.port);
    // The second request is an honest one: whoever pipelines gets an answer to each, or the connection is closed.
    attacker.send(`${text}GET /honest-${name.length} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    await Promise.race([attacker.closed(), attacker.until((all) => all.includes("HTTP/1.1 101"))]);
    attacker.socket.destroy();
    await othersAreServed();
  });

  test.for(frameAttacks)("$name", { timeout: patient }, async ({ frames }, ctx) => {
    if (!usable) return ctx.skip(`needs ${peer.program}`);
    answered = "";
    const attacker = frameClient(opened, engine.port);
    attacker.send(...frames, { type: "headers", flags: 5, stream: 3, payload: encodeFields(requestFields("/honest")) });
    const over = ({ type, stream, flags: bits }: Received) =>
      type === frameTypes.goaway || (stream === 3 && (type === frameTypes.reset || (bits & flags.endStream) !== 0));
    await attacker.until(over);
    attacker.socket.destroy();
    await othersAreServed();
    // Over HTTP/2 one request is one stream: what is hidden in it is nobody's next request.
    expect(answered).not.toContain("/smuggled");
  });
});

test("there are enough of them", () => {
  expect(new Set(attacks.map(({ text }) => text)).size).toBeGreaterThanOrEqual(60);
  expect(frameAttacks.length).toBeGreaterThanOrEqual(40);
});
