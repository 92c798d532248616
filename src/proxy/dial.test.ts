import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { DialResult } from "./backends/backend.ts";
import { createPodDialer } from "./dial.ts";

const client = { namespace: "shop", name: "web-1", ip: "127.97.204.1" };
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(host: string): Promise<number> {
  const server = createServer((socket) => socket.end(socket.remoteAddress ?? ""));
  servers.push(server);
  await new Promise((ready) => server.listen(0, host, () => ready(undefined)));
  return (server.address() as { port: number }).port;
}

const dialer = (result: DialResult) =>
  createPodDialer({ proxy: { dial: async () => result }, serviceCIDRs: ["10.96.0.0/12"], timeoutMs: 1000 });

test("a Service by the plan: its connection, or its reason", async () => {
  const socket = {} as Socket;
  expect(await dialer({ kind: "connected", socket, servicePort: "shop/web", endpoint: "127.97.0.1:80" })("10.96.0.7", 80, client)).toBe(
    socket,
  );
  const refused = await dialer({ kind: "refused", reason: "NoEndpoints", message: "Service shop/web has no ready endpoint" })(
    "10.96.0.7",
    80,
    client,
  );
  expect(refused).toEqual({ kind: "failed", why: "refused", message: "10.96.0.7:80: Service shop/web has no ready endpoint" });
});

test("an address of the Service range that no Service has is not looked for outside", async () => {
  expect(await dialer({ kind: "unknown" })("10.96.0.99", 80, client)).toEqual({
    kind: "failed",
    why: "refused",
    message: "10.96.0.99:80: no Service has this address and port",
  });
});

test("anything else directly, from the pod's address", async () => {
  const port = await listening("127.204.0.1");
  const socket = (await dialer({ kind: "unknown" })("127.204.0.1", port, client)) as Socket;
  expect(await new Promise((resolve) => socket.once("data", (data) => resolve(String(data))))).toBe(client.ip);
  socket.destroy();
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
  expect(await dialer({ kind: "unknown" })("127.204.0.1", port, client)).toMatchObject({
    why: "refused",
    message: `127.204.0.1:${port} refuses connections: nothing listens there`,
  });
});
