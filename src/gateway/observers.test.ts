/** Access log and traces: what a request looks like in each, and that neither can be made to lie. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { realClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { ingressTable, mergeHost } from "../decide/routes/index.ts";
import { accessLogLine } from "./access-log.ts";
import { createNodeEngine } from "./engine/node-engine.ts";
import type { RequestRecord } from "./engine/requests.ts";
import { spanFor, traceparent } from "./engine/trace-context.ts";
import { createObservers, type ObserveOptions } from "./observers.ts";
import { spanOf } from "./otlp.ts";
import { everything, httpEndpoint, Opened, rawClient } from "./testing.ts";

const patient = 60_000;
const opened = new Opened();
afterEach(() => opened.closeAll());

const detail = {
  at: Date.UTC(2026, 9, 3, 4, 5, 6, 789),
  address: "192.0.2.1",
  listener: "http",
  scheme: "http",
  httpVersion: "1.1",
  method: "GET",
  host: "shop.test",
  target: "/cart?x=1",
  referer: "http://a/",
  userAgent: 'curl "8"',
  bytes: 1234,
  trace: { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", parentId: "00f067aa0ba902b7", sampled: true },
} as const satisfies RequestRecord["detail"];

const record: RequestRecord = {
  request: undefined,
  route: { ...everything.route, id: "Ingress shop/web rule" },
  status: 200,
  reason: undefined,
  endpoint: "10.0.0.7 8080",
  user: "ann",
  milliseconds: 12.4,
  detail,
};

const anything = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength: 30 });

describe("the access log", () => {
  test("combined", () => {
    expect(accessLogLine(record, "combined")).toBe(
      '192.0.2.1 - ann [03/Oct/2026:04:05:06 +0000] "GET /cart?x=1 HTTP/1.1" 200 1234 "http://a/" "curl \\"8\\""\n',
    );
    const { referer: _, userAgent: __, ...bare } = detail;
    expect(accessLogLine({ ...record, user: undefined, detail: { ...bare, bytes: 0 } }, "combined")).toBe(
      '192.0.2.1 - - [03/Oct/2026:04:05:06 +0000] "GET /cart?x=1 HTTP/1.1" 200 - "-" "-"\n',
    );
  });

  test("JSON", () => {
    expect(JSON.parse(accessLogLine({ ...record, status: 503, reason: "NoEndpoints" }, "json") as string)).toEqual({
      time: "2026-10-03T04:05:06.789Z",
      address: "192.0.2.1",
      listener: "http",
      scheme: "http",
      protocol: "HTTP/1.1",
      method: "GET",
      host: "shop.test",
      target: "/cart?x=1",
      referer: "http://a/",
      userAgent: 'curl "8"',
      user: "ann",
      status: 503,
      reason: "NoEndpoints",
      bytes: 1234,
      seconds: 0.012,
      object: "Ingress default/web",
      route: "Ingress shop/web rule",
      endpoint: "10.0.0.7:8080",
      traceId: "0af7651916cd43dd8448eb211c80319c",
    });
  });

  test("whatever a client says is one line, and in its own quotes", () => {
    fc.assert(
      fc.property(anything, anything, (userAgent, user) => {
        const line = accessLogLine({ ...record, user, detail: { ...detail, userAgent } }, "combined") as string;
        expect(line).toMatch(
          /^192\.0\.2\.1 - [!-~]+ \[[^\]]+\] "GET \/cart\?x=1 HTTP\/1\.1" 200 1234 "http:\/\/a\/" "(?:[ !#-[\]-~]|\\.)*"\n$/,
        );
        const json = accessLogLine({ ...record, user, detail: { ...detail, userAgent } }, "json") as string;
        expect(json.indexOf("\n")).toBe(json.length - 1);
      }),
    );
  });
});

describe("trace context", () => {
  const random = { id: (bytes: number) => "ab".repeat(bytes), random: () => 0.5 };
  const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  test("goes on with a span of ours", () => {
    const span = spanFor(parent, { ratio: 0 }, random);
    expect(span).toEqual({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      parentId: "b7ad6b7169203331",
      spanId: "ab".repeat(8),
      sampled: true,
    });
    expect(traceparent(span)).toBe(`00-0af7651916cd43dd8448eb211c80319c-${"ab".repeat(8)}-01`);
    expect(spanFor(parent.replace(/01$/, "00"), { ratio: 1 }, random).sampled).toBe(false);
    expect(spanFor(`${parent.replace("00-", "01-")}-more`, { ratio: 0 }, random).parentId).toBe("b7ad6b7169203331");
  });

  test.for([
    undefined,
    "",
    "x",
    `${parent}-more`,
    parent.replace("00-", "ff-"),
    parent.toUpperCase(),
    parent.slice(0, -1),
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`,
  ])("%s is none: a new one begins", (header) => {
    expect(spanFor(header, { ratio: 0.6 }, random)).toEqual({ traceId: "ab".repeat(16), spanId: "ab".repeat(8), sampled: true });
    expect(spanFor(header, { ratio: 0.5 }, random).sampled).toBe(false);
  });
});

test("a span, by OpenTelemetry's names", () => {
  expect(spanOf({ ...record, status: 502, reason: "EndpointsFailed" })).toMatchObject({
    traceId: detail.trace.traceId,
    spanId: detail.trace.spanId,
    parentSpanId: detail.trace.parentId,
    name: "GET",
    kind: 2,
    startTimeUnixNano: "1791000306789000000",
    endTimeUnixNano: "1791000306801400000",
    status: { code: 2 },
    attributes: expect.arrayContaining([
      { key: "http.response.status_code", value: { intValue: "502" } },
      { key: "url.path", value: { stringValue: "/cart" } },
      { key: "url.query", value: { stringValue: "x=1" } },
      { key: "error.type", value: { stringValue: "EndpointsFailed" } },
    ]),
  });
  expect(spanOf({ ...record, detail: { ...detail, trace: { ...detail.trace, sampled: false } } })).toBeUndefined();
});

/** An engine that tells observers; its one endpoint says which trace it is in. */
async function observed(options: ObserveOptions) {
  const metrics = new MetricsRegistry();
  const observers = createObservers(options, { clock: realClock, log: silentLogger, metrics });
  const endpoint = await httpEndpoint(opened, ({ headers }, response) => response.end(`trace ${String(headers["traceparent"])}`));
  const engine = createNodeEngine({
    clock: realClock,
    random: () => 0.5,
    observe: observers.observe,
    onRequest: (each) => observers.request(each),
  });
  opened.add(engine, () => engine.stop());
  engine.publish({
    routeTable: ingressTable([mergeHost("*", [everything]).virtualHost], []),
    backends: new Map([["default/web:80", { kind: "endpoints", endpoints: [{ ip: "127.0.0.1", port: endpoint.port }] }]]),
  });
  const listener = await engine.listen({ name: "http", protocol: "HTTP", host: "127.0.0.1", port: 0 });
  if (listener.kind === "failed") throw new Error(listener.message);
  const ask = async (lines: string) => {
    const client = rawClient(opened, listener.port);
    client.send(`GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n`);
    return client.closed();
  };
  return { observers, ask, metrics };
}

test("requests are in the file, which nobody else reads", { timeout: patient }, async () => {
  const directory = opened.add(mkdtempSync(join(tmpdir(), "fairlead-log-")), () => {});
  opened.add(directory, () => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "access.log");
  const { ask, observers } = await observed({ accessLog: { format: "combined", path } });
  const answer = await ask("User-Agent: test\r\n");
  const length = answer.slice(answer.indexOf("\r\n\r\n") + 4).length;
  // Without tracing, nobody says anything about traces.
  expect(answer).toContain("trace undefined");
  await observers.stop();
  expect(readFileSync(path, "utf8")).toMatch(new RegExp(`^127\\.0\\.0\\.1 - - \\[.*\\] "GET /a HTTP/1.1" 200 ${length} "-" "test"\n$`));
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a collector gets the span whose child the endpoint's is", { timeout: patient }, async () => {
  const bodies: { readonly url: string | undefined; readonly body: string }[] = [];
  const collector = createServer((request, response) => {
    let body = "";
    request.on("data", (bytes: Buffer) => (body += String(bytes)));
    request.on("end", () => {
      bodies.push({ url: request.url, body });
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  opened.add(collector, () => new Promise((done) => (collector.closeAllConnections(), collector.close(done))));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`;
  const { ask, observers } = await observed({ traces: { endpoint, ratio: 0 } });
  const answer = await ask("Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
  const [, spanId] = /trace 00-0af7651916cd43dd8448eb211c80319c-([0-9a-f]{16})-01/.exec(answer) ?? [];
  await ask("");
  await observers.stop();
  expect(bodies.map(({ url }) => url)).toEqual(["/v1/traces"]);
  const { resourceSpans } = JSON.parse(bodies[0]?.body ?? "{}") as { resourceSpans: { scopeSpans: { spans: object[] }[] }[] };
  expect(resourceSpans[0]?.scopeSpans[0]?.spans).toMatchObject([{ spanId, parentSpanId: "b7ad6b7169203331" }]);
});

test(
  "a file that cannot be written, a collector that is not there: requests go on, and what is lost is counted",
  { timeout: patient },
  async () => {
    const { ask, observers, metrics } = await observed({
      accessLog: { format: "json", path: "/proc/nowhere/access.log" },
      traces: { endpoint: "http://127.0.0.1:1", ratio: 1 },
    });
    expect(await ask("")).toContain("HTTP/1.1 200");
    await observers.stop();
    const text = metrics.text();
    expect(text).toContain('fairlead_gateway_observations_dropped_total{kind="access-log"} 1');
    expect(text).toContain('fairlead_gateway_observations_dropped_total{kind="traces"} 1');
  },
);
