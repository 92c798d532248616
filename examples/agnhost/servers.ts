/** Small servers, and the one that only waits. */
import { createSocket } from "node:dgram";
import { createReadStream, promises as files } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { hostname } from "node:os";
import { join, normalize } from "node:path";
import { readFlags } from "./flags.ts";

/** Where pods share the machine's network, each listens at its own address. */
export const listenHost: string | undefined = process.env["HOST"] === "" ? undefined : process.env["HOST"];

export function endWithSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
}

export function pause(): void {
  endWithSignals();
  console.log("Paused");
  setInterval(() => undefined, 2 ** 30);
}

export function serveHostname(words: readonly string[]): void {
  const flags = readFlags(words, { tcp: false, udp: false, http: true, close: false, port: "9376" });
  const port = flags.number("port");
  endWithSignals();
  if (flags.flag("udp")) serveUdp(port);
  if (flags.flag("tcp")) {
    createTcpServer((client) => {
      client.on("error", () => client.destroy());
      client.end(`${hostname()}\n`);
    }).listen(port, listenHost);
  } else if (flags.flag("http")) {
    createServer((_, response) => {
      if (flags.flag("close")) response.setHeader("connection", "close");
      response.end(hostname());
    }).listen(port, listenHost);
  }
}

function serveUdp(port: number): void {
  const udp = createSocket({ type: listenHost === undefined ? "udp6" : "udp4" });
  udp.on("message", (_, from) => udp.send(`${hostname()}\n`, from.port, from.address));
  udp.bind(port, listenHost);
}

const aliveMs = 10_000;

export function liveness(): void {
  endWithSignals();
  const started = Date.now();
  createServer((request, response) => {
    const age = Date.now() - started;
    if (request.url !== "/healthz") return response.end(String(started));
    response.writeHead(age > aliveMs ? 500 : 200);
    return response.end(age > aliveMs ? `error: ${(age / 1000).toFixed(3)}` : "ok");
  }).listen(8080, listenHost);
}

export function testWebserver(words: readonly string[]): void {
  const flags = readFlags(words, { port: "80" });
  endWithSignals();
  createServer((request, response) => {
    void serveFile(normalize(decodeURI((request.url ?? "/").split("?")[0] as string)), response);
  }).listen(flags.number("port"), listenHost);
}

async function serveFile(path: string, response: ServerResponse): Promise<void> {
  try {
    const found = await files.stat(path);
    if (found.isFile())
      return void createReadStream(path)
        .on("error", () => response.destroy())
        .pipe(response);
    const names = await files.readdir(path);
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<pre>\n${names.map((name) => `<a href="${encodeURI(join(path, name))}">${escape(name)}</a>`).join("\n")}\n</pre>\n`);
  } catch {
    response.writeHead(404).end("404 page not found\n");
  }
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
