import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { Service } from "../../api/types.ts";
import { FakeClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { healthz } from "../program/servers.ts";
import { serve } from "./http.ts";
import { ProxyHealth } from "./proxy-health.ts";
import { healthAnswer, ServiceHealthServers } from "./service-health.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

describe("healthCheckNodePort", () => {
  const service: Service = { metadata: { namespace: "shop", name: "web" } };
  const start = (healthy = () => true, events: string[] = []) => {
    const servers = new ServiceHealthServers({
      places: async (port) => [{ host: "127.0.0.1", port }],
      healthy,
      nodeName: "node-1",
      log: silentLogger,
      recorder: { event: (_, type, reason, message) => void events.push(`${type} ${reason} ${message}`) },
    });
    closing.push(() => servers.stop());
    return servers;
  };
  const ask = async (port: number) => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
      return { status: answer.status, weight: answer.headers.get("x-load-balancing-endpoint-weight"), body: await answer.text() };
    } catch {
      return undefined;
    }
  };

  test("kube-proxy's answer, to the byte", () => {
    expect(healthAnswer("shop/web", 2, true)).toEqual({
      status: 200,
      type: "application/json",
      headers: { "x-load-balancing-endpoint-weight": "2" },
      body: '{\n\t"service": {\n\t\t"namespace": "shop",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
    });
    expect(healthAnswer("shop/web", 0, true).status).toBe(503);
    expect(healthAnswer("shop/web", 2, false).status).toBe(503);
  });

  test("follows the Service: opens, counts, moves, closes", async () => {
    const [first, second] = [await freePort(), await freePort()];
    const servers = start();
    servers.set("shop/web", { port: first, localEndpoints: 1 }, service);
    await servers.settled();
    expect(await ask(first)).toMatchObject({ status: 200, weight: "1" });
    servers.set("shop/web", { port: first, localEndpoints: 0 }, service);
    expect(await ask(first)).toMatchObject({ status: 503, weight: "0" });
    servers.set("shop/web", { port: second, localEndpoints: 3 }, service);
    await servers.settled();
    expect(await ask(first)).toBeUndefined();
    expect(await ask(second)).toMatchObject({ status: 200, weight: "3" });
    servers.set("shop/web", undefined, service);
    await servers.settled();
    expect(await ask(second)).toBeUndefined();
  });

  test("a port that another has is told by an Event, and nothing else suffers", async () => {
    const port = await freePort();
    const other = createServer().listen(port, "127.0.0.1");
    closing.push(() => other.close());
    const events: string[] = [];
    const servers = start(() => true, events);
    servers.set("shop/web", { port, localEndpoints: 1 }, service);
    const free = await freePort();
    servers.set("shop/api", { port: free, localEndpoints: 1 }, service);
    await servers.settled();
    expect(events).toEqual([
      expect.stringMatching(/^Warning FailedToStartServiceHealthcheck node node-1 .*"shop\/web" on port \d+: .*EADDRINUSE/),
    ]);
    expect(await ask(free)).toMatchObject({ status: 200 });
  });
});

describe("the proxy's own health", () => {
  const start = () => {
    const clock = new FakeClock();
    return { clock, health: new ProxyHealth({ clock, timeoutMs: 60_000, families: [4] }) };
  };

  test("ill only where a change waits longer than the time it is given", () => {
    const { clock, health } = start();
    health.queued();
    clock.advance(120_000);
    expect(health.healthy, "before the first sync it is starting").toBe(true);
    health.updated();
    clock.advance(600_000);
    expect(health.healthy, "there was nothing to do").toBe(true);
    health.queued();
    clock.advance(59_999);
    health.queued();
    expect(health.healthy).toBe(true);
    clock.advance(1);
    expect(health.report()).toMatchObject({ healthy: false, status: { IPv4: { healthy: false } } });
    health.updated();
    expect(health.healthy).toBe(true);
  });

  test("/healthz fails on a node that is going away, /livez does not", () => {
    const { health } = start();
    const metrics = new MetricsRegistry();
    let eligible = true;
    health.updated();
    const answering = healthz({ health, eligible: () => eligible, metrics });
    const status = (path: string) => answering(path)?.status;
    expect([status("/healthz"), status("/livez"), status("/")]).toEqual([200, 200, undefined]);
    eligible = false;
    expect([status("/healthz"), status("/livez")]).toEqual([503, 200]);
    expect(JSON.parse(answering("/healthz")?.body ?? "")).toMatchObject({ nodeEligible: false, healthy: true });
    expect(metrics.text()).toContain('kubeproxy_proxy_healthz_total{code="503"} 2');
  });
});

test("only GET and HEAD, only paths that there are", async () => {
  const server = await serve({ host: "127.0.0.1", port: 0 }, (path) =>
    path === "/ok" ? { status: 200, type: "text/plain", body: "ok" } : undefined,
  );
  closing.push(() => server.close());
  const ask = async (path: string, method = "GET") => (await fetch(`http://127.0.0.1:${server.port}${path}`, { method })).status;
  expect([await ask("/ok?x=1"), await ask("/ok", "HEAD"), await ask("/"), await ask("/ok", "POST")]).toEqual([200, 200, 404, 405]);
});
