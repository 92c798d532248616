/** `netexec`: HTTP and UDP servers that tell who they are, whom they see, and ask others. */
import { execFile } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Server } from "node:net";
import { hostname } from "node:os";
import { dial } from "./dial.ts";
import { parseDuration, readFlags } from "./flags.ts";
import { endWithSignals, listenHost } from "./servers.ts";

interface Running {
  server: Server | undefined;
  udpReady: boolean;
  /** It was told to end, and ends later. */
  ending: boolean;
}

type Route = (query: URLSearchParams, request: IncomingMessage, response: ServerResponse, running: Running) => void | Promise<void>;

export function netexec(words: readonly string[]): void {
  const flags = readFlags(words, {
    ...{ "http-port": "8080", "udp-port": "8081", "sctp-port": "-1", "http-override": "" },
    ...{ "tls-cert-file": "", "tls-private-key-file": "", "udp-listen-addresses": "", "delay-shutdown": "0" },
  });
  if (flags.number("sctp-port") !== -1) throw new Error("--sctp-port: SCTP is not supported here");
  const running: Running = { server: undefined, udpReady: flags.number("udp-port") === -1, ending: false };
  const override = flags.text("http-override");
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    void answer(override === "" ? (request.url ?? "/") : override, request, response, running);
  };
  const cert = flags.text("tls-cert-file");
  const tls = { cert: cert === "" ? "" : readFileSync(cert), key: cert === "" ? "" : readFileSync(flags.text("tls-private-key-file")) };
  running.server = cert === "" ? createServer(listener) : createSecureServer(tls, listener);
  running.server.listen(flags.number("http-port"), listenHost, () =>
    console.log(`Started HTTP server on port ${flags.number("http-port")}`),
  );
  const addresses = flags
    .text("udp-listen-addresses")
    .split(",")
    .filter((address) => address !== "");
  if (flags.number("udp-port") !== -1)
    for (const address of addresses.length > 0 ? addresses : [listenHost]) serveUdp(address, flags.number("udp-port"), running);
  const delay = flags.number("delay-shutdown");
  const endLater = () => {
    running.ending = true;
    setTimeout(() => process.exit(0), delay * 1000);
  };
  if (delay > 0) process.on("SIGTERM", endLater);
  else endWithSignals();
}

async function answer(url: string, request: IncomingMessage, response: ServerResponse, running: Running): Promise<void> {
  const { pathname, searchParams } = new URL(url, "http://netexec");
  console.log(`${request.method} ${url}`);
  const route = routes[pathname] ?? root;
  try {
    await route(searchParams, request, response, running);
  } catch (error) {
    if (!response.headersSent) response.writeHead(500);
    response.end((error as Error).message);
  }
}

const root: Route = (_, __, response) => void response.end(`NOW: ${new Date().toISOString()}`);
const tellHostname: Route = (_, __, response) => void response.end(hostname());

const routes: Readonly<Record<string, Route>> = {
  "/hostname": tellHostname,
  "/hostName": tellHostname,
  "/clientip": (_, { socket }, response) => void response.end(endpoint(socket.remoteAddress ?? "", socket.remotePort ?? 0)),
  "/serverport": (_, { socket }, response) => void response.end(String(socket.localPort)),
  "/header": (query, { headers }, response) => void response.end(String(headers[(query.get("key") ?? "").toLowerCase()] ?? "")),
  "/healthz": (_, __, response, { udpReady }) => void response.writeHead(udpReady ? 200 : 412).end(),
  // Healthy while it ends, but no longer to be asked.
  "/readyz": (_, __, response, { udpReady, ending }) => {
    if (ending) response.writeHead(503).end("shutting down");
    else response.writeHead(udpReady ? 200 : 412).end(udpReady ? "ok" : "");
  },
  "/echo": (query, _, response) => {
    const code = query.get("code") ?? "";
    if (code !== "" && !/^\d{3}$/.test(code))
      return void response.end(`argument 'code' must be an integer or empty, got ${JSON.stringify(code)}\n`);
    response.writeHead(code === "" ? 200 : Number(code)).end(query.get("msg") ?? "");
  },
  "/redirect": (query, _, response) =>
    void response.writeHead(Number(query.get("code") || 302), { location: query.get("location") ?? "" }).end(),
  "/dial": async (query, _, response) => {
    const { status, body } = await dial(query);
    response.writeHead(status).end(body);
  },
  "/shell": (query, _, response) => shell(query.get("shellCommand") || query.get("cmd") || "", response),
  "/shutdown": () => process.exit(0),
  "/exit": exit,
};

function shell(command: string, response: ServerResponse): void {
  // Set for processes that share this machine's network: other users of the machine could ask.
  if (process.env["FAIRLEAD_POD"] !== undefined) return void response.writeHead(403).end("/shell is not served in loopback mode\n");
  execFile("/bin/sh", ["-c", command], { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
    const output = `${stdout}${stderr}`;
    const failed = error === null ? {} : { error: `exit status ${error.code}` };
    response.end(JSON.stringify({ ...(output === "" ? {} : { output }), ...failed }));
  });
}

async function exit(query: URLSearchParams, _: IncomingMessage, response: ServerResponse, { server }: Running): Promise<void> {
  const code = Number(query.get("code") ?? "0");
  const [wait, timeout] = ["wait", "timeout"].map((name) => parseDuration(query.get(name) ?? "")) as [number, number];
  response.on("close", () => {
    setTimeout(() => {
      if (timeout === 0) process.exit(code);
      setTimeout(() => process.exit(code), timeout).unref();
      server?.close(() => process.exit(code));
    }, wait);
  });
  response.end();
}

function serveUdp(address: string | undefined, port: number, running: Running): void {
  const udp: Socket = createSocket({ type: address === undefined || address.includes(":") ? "udp6" : "udp4" });
  udp.on("message", (message, from) => {
    const text = message.toString().trimEnd();
    console.log(`Received UDP message ${JSON.stringify(text)} from ${endpoint(from.address, from.port)}`);
    const reply = udpReply(text, endpoint(from.address, from.port), port);
    if (reply !== undefined) udp.send(reply, from.port, from.address);
  });
  udp.on("error", (error) => console.error(error.message));
  udp.bind(port, address, () => (running.udpReady = true));
}

function udpReply(text: string, client: string, port: number): string | undefined {
  const [word = "", ...rest] = text.split(" ");
  if (word.toLowerCase() === "hostname") return hostname();
  if (word.toLowerCase() === "clientip") return client;
  if (word.toLowerCase() === "serverport") return String(port);
  return word.toLowerCase() === "echo" ? rest.join(" ") : undefined;
}

/** A dual-stack socket shows IPv4 clients as mapped addresses; Go does not. */
function endpoint(address: string, port: number): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "");
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}
