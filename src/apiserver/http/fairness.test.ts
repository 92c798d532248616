/** One client that takes all it can, over real connections: others are served all the same. */
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { ClientRequest } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { realClock } from "../../lib/clock.ts";
import { TestServer } from "../testing.ts";

let api: TestServer;
let port: number;
let open: ClientRequest[];

beforeEach(async () => {
  open = [];
  api = new TestServer({
    clock: realClock,
    tokens: (name) => ({ name, groups: ["system:masters"] }),
    requestLimits: { mutatingInFlight: 4, waiting: 3, patience: 60_000 },
  });
  await api.server.start();
  ({ port } = await api.server.listen());
});

afterEach(async () => {
  for (const request of open) request.destroy();
  await api.server.stop();
});

function ask(user: string, options: RequestOptions, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${user}`, "content-type": "application/json", ...options.headers };
    const request = httpsRequest({ host: "127.0.0.1", port, rejectUnauthorized: false, agent: false, ...options, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    open.push(request);
    request.on("error", reject);
    if (body === undefined) request.flushHeaders();
    else request.end(body);
  });
}

const create = { method: "POST", path: "/api/v1/namespaces/default/configmaps" };

test("bodies that never come hold three quarters of the seats, and what is too much is refused at once", async () => {
  const stuck = Array.from({ length: 9 }, () => ask("flood", { ...create, headers: { "content-length": "100" } }));
  const refusals: number[] = [];
  for (const one of stuck) one.then((status) => refusals.push(status)).catch(() => undefined);
  // Three sit, three wait: the other three are told to come again.
  await expect.poll(() => refusals, { timeout: 15_000 }).toEqual([429, 429, 429]);
  for (let i = 0; i < 5; i++) expect(await ask("polite", create, JSON.stringify({ metadata: { name: `c${i}` } }))).toBe(201);
  expect(await ask("flood", { method: "GET", path: "/api/v1/namespaces" }, "")).toBe(200);
  expect(await ask("flood", { method: "GET", path: "/readyz" }, "")).toBe(200);
});
