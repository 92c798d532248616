import { createServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer, type AddressInfo, type Server } from "node:net";
import { assert, property, string } from "fast-check";
import { afterEach, expect, test } from "vitest";
import type { Container } from "../../api/types.ts";
import { connectFromHost } from "../runtime/connect.ts";
import { decodeHealthStatus, encodeHealthRequest, grpcProbe } from "./grpc-probe.ts";
import { runProbe } from "./handler.ts";
import { httpProbe } from "./http-probe.ts";
import { containerPort } from "./ports.ts";
import { tcpProbe } from "./tcp-probe.ts";

const open: Server[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(server: Server): Promise<number> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const port = await listen(createTcpServer());
  await new Promise((resolve) => open.pop()?.close(resolve));
  return port;
}

/** Answers `/200`, `/302?to=…` as the path says. */
const web = () =>
  createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    if (url.pathname === "/slow") return;
    const to = url.searchParams.get("to");
    const status = url.pathname === "/headers" ? (request.headers["x-test"] === "yes" ? 200 : 400) : Number(url.pathname.slice(1));
    response.writeHead(status, to === null ? {} : { location: to });
    response.end();
  });

test.each([
  ["/200", true],
  ["399", true],
  ["/400", "HTTP probe failed with statuscode: 400"],
  ["/503", "HTTP probe failed with statuscode: 503"],
  ["/302?to=/200", true],
  ["/302?to=/500", "HTTP probe failed with statuscode: 500"],
  ["/302?to=http://other.example/", true],
])("httpGet %s", async (path, expected) => {
  const port = await listen(web());
  const outcome = await httpProbe({ path, port }, "127.0.0.1", port, 1000, connectFromHost);
  expect(outcome.ok ? true : outcome.message).toBe(expected);
});

test("httpGet sends its headers, and says what is wrong with the connection", async () => {
  const port = await listen(web());
  expect(
    await httpProbe({ path: "/headers", port, httpHeaders: [{ name: "X-Test", value: "yes" }] }, "127.0.0.1", port, 1000, connectFromHost),
  ).toEqual({
    ok: true,
  });
  expect(await httpProbe({ path: "/slow", port }, "127.0.0.1", port, 20, connectFromHost)).toEqual({
    ok: false,
    message: `Get "http://127.0.0.1:${port}/slow": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  });
  const closed = await closedPort();
  expect(await httpProbe({ port: closed }, "127.0.0.1", closed, 1000, connectFromHost)).toEqual({
    ok: false,
    message: `Get "http://127.0.0.1:${closed}/": dial tcp 127.0.0.1:${closed}: connect: connection refused`,
  });
});

test("tcpSocket", async () => {
  expect(await tcpProbe("127.0.0.1", await listen(createTcpServer((socket) => socket.end())), 1000, connectFromHost)).toEqual({ ok: true });
  const closed = await closedPort();
  expect(await tcpProbe("127.0.0.1", closed, 1000, connectFromHost)).toEqual({
    ok: false,
    message: `dial tcp 127.0.0.1:${closed}: connect: connection refused`,
  });
});

test("grpc", async () => {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("data", (chunk: Buffer) => {
      const status = chunk.includes("sick") ? 2 : 1;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, status]));
    });
  });
  const port = await listen(server as unknown as Server);
  expect(await grpcProbe("127.0.0.1", port, "well", 1000, connectFromHost)).toEqual({ ok: true });
  expect(await grpcProbe("127.0.0.1", port, "sick", 1000, connectFromHost)).toEqual({
    ok: false,
    message: 'service unhealthy (responded with "NOT_SERVING")',
  });
  const closed = await closedPort();
  expect((await grpcProbe("127.0.0.1", closed, "", 1000, connectFromHost)).ok).toBe(false);
});

test("the health request carries any service name; any reply is read without a fault", () => {
  assert(
    property(string({ maxLength: 300 }), (service) => {
      const bytes = encodeHealthRequest(service);
      return (
        bytes.readUInt32BE(1) === bytes.length - 5 &&
        bytes.subarray(bytes.length - Buffer.byteLength(service)).toString() === Buffer.from(service).toString()
      );
    }),
  );
  assert(property(string(), (text) => Number.isInteger(decodeHealthStatus(Buffer.from(text, "latin1")))));
});

test("ports by number and by name", () => {
  const container: Container = { name: "c", ports: [{ name: "http", containerPort: 8080 }] };
  expect(containerPort(container, "http")).toEqual({ kind: "ok", port: 8080 });
  expect(containerPort(container, 81)).toEqual({ kind: "ok", port: 81 });
  expect(containerPort(container, "82")).toEqual({ kind: "ok", port: 82 });
  expect(containerPort(container, "grpc")).toEqual({ kind: "error", message: `couldn't find port: "grpc" in container c` });
  expect(containerPort(container, 0)).toEqual({ kind: "error", message: "invalid port number: 0" });
});

test("an exec probe shows the command's words, its code, or that it took too long", async () => {
  const target = (code: number | "timeout", output: string) => ({
    container: { name: "c" },
    podIP: "127.0.0.1",
    connect: connectFromHost,
    exec: async () => ({ code, output }),
  });
  const exec = { exec: { command: ["check", "it"] } };
  expect(await runProbe(exec, target(0, ""), 1000)).toEqual({ ok: true });
  expect(await runProbe(exec, target(2, "bad\n"), 1000)).toEqual({ ok: false, message: "bad" });
  expect(await runProbe(exec, target(2, ""), 1000)).toEqual({ ok: false, message: "command exited with code 2" });
  expect(await runProbe(exec, target("timeout", ""), 1000)).toEqual({ ok: false, message: 'command "check it" timed out after 1s' });
});
