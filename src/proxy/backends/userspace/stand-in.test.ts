import { afterEach, expect, test } from "vitest";
import type { PortPlan, ServicePlan, Verdict } from "../../../decide/proxy/index.ts";
import { realClock } from "../../../lib/clock.ts";
import { MetricsRegistry } from "../../../lib/metrics.ts";
import { proxyMetrics } from "../../metrics.ts";
import { UserspaceBackend } from "./apply.ts";
import { bind } from "./listeners.ts";
import { standInPorts } from "./stand-in.ts";

const address = `127.${200 + ((process.pid >> 8) % 50)}.${process.pid & 255}.77`;
const to: Verdict = { kind: "dnat", to: "cluster", masquerade: true };

function port(number: number, kind: "loadBalancer" | "clusterIP" = "loadBalancer"): PortPlan {
  const servicePort = { namespace: "default", name: "web", port: String(number) };
  const endpoint = { kind: "endpoint", ip: "127.0.0.1", port: 9, local: true, ready: true, serving: true, terminating: false } as const;
  return {
    kind: "port",
    servicePort,
    protocol: "TCP",
    port: number,
    addresses: [{ kind, address, port: number, family: 4, verdicts: { pod: to, node: to, external: to } }],
    endpoints: [{ family: 4, cluster: [endpoint], local: [], hasAny: true }],
    affinity: { kind: "none" },
    internalTrafficPolicy: "Cluster",
    externalTrafficPolicy: "Cluster",
    leftOut: [],
  };
}
const plan = (...ports: PortPlan[]): ServicePlan => ({ kind: "service", namespace: "default", name: "web", ports });

let backend: UserspaceBackend | undefined;
/** A machine that keeps ports below 1024 for root, whoever runs the test. */
function start(): UserspaceBackend {
  const forbidsLow: typeof bind = async (protocol, virtual, state, context, at = { host: virtual.address, port: virtual.port }) =>
    at.port > 0 && at.port < 1024 ? { kind: "failed", code: "EACCES", message: "" } : await bind(protocol, virtual, state, context, at);
  const metrics = proxyMetrics(new MetricsRegistry());
  return (backend = new UserspaceBackend({ clock: realClock, metrics, classify: () => "external", hostAddresses: [], bind: forbidsLow }));
}
afterEach(() => backend?.stop());

test("80 and 443 become what people expect", () => {
  expect([80, 443].map((number) => standInPorts(number)[0])).toEqual([8080, 8443]);
});

test("a load balancer's low port has a stand-in, told each time; a ClusterIP's has none", async () => {
  const backend = start();
  const [problem] = await backend.apply("default/web", plan(port(80)));
  expect(problem).toMatchObject({ reason: "PortStandIn", port: 80, standIn: 8080, severity: "warning" });
  expect(problem?.message).toContain("ip_unprivileged_port_start=80");
  expect(await backend.apply("default/web", plan(port(80)))).toEqual([problem]);
  await backend.apply("default/web", undefined);
  expect(await backend.apply("default/web", plan(port(80, "clusterIP")))).toMatchObject([{ reason: "PortNotPermitted" }]);
});

test("a port that the Service itself wants is no stand-in; one that it comes to want is given up", async () => {
  const backend = start();
  expect(await backend.apply("default/web", plan(port(8080), port(80)))).toMatchObject([{ port: 80, standIn: 10_080 }]);
  await backend.apply("default/web", undefined);
  expect(await backend.apply("default/web", plan(port(80)))).toMatchObject([{ standIn: 8080 }]);
  expect(await backend.apply("default/web", plan(port(80), port(8080)))).toMatchObject([{ port: 80 }]);
  // The proxy applies those again that gave something up.
  expect(backend.takeReleased()).toEqual(["default/web"]);
  expect(await backend.apply("default/web", plan(port(80), port(8080)))).toMatchObject([{ port: 80, standIn: 10_080 }]);
  expect(backend.served).toBe(2);
});
