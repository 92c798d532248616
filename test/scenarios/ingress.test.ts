/** Ingress in a whole cluster: the real API, controllers and endpoints, and requests as a client on this machine makes them. */
import { createServer, request } from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployments, events, ingresses } from "../../src/api/resources.ts";
import type { Ingress } from "../../src/api/types.ts";
import { startCluster, type PodFunction, type TestCluster } from "../../src/testing/index.ts";

const file = join(import.meta.dirname, "../../../shared/cases/ingress-cases.json");
const present = existsSync(file);
const patient = 120_000;

interface Feature {
  readonly feature: string;
  readonly objects: readonly Ingress[];
  readonly cases: readonly {
    readonly name: string;
    readonly url?: string;
    readonly status?: number;
    readonly service?: string;
    readonly requests?: number;
    readonly distinctPods?: number;
    readonly ingressStatus?: string;
  }[];
}

const features: readonly Feature[] = present
  ? (JSON.parse(readFileSync(file, "utf8")) as { ingressConformance: Feature[] }).ingressConformance
  : [];

/** Says which Service's pod it is. */
const echo: PodFunction = ({ pod, env }) =>
  createServer((asked, response) =>
    response.end(JSON.stringify({ pod: pod.metadata.name, service: env["SERVICE"], url: asked.url, headers: asked.headers })),
  );

const workload = (service: string, replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${service} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${service} } }
  template:
    metadata: { labels: { app: ${service} } }
    spec:
      containers: [{ name: echo, image: test/echo, ports: [{ containerPort: 3000 }], env: [{ name: SERVICE, value: ${service} }] }]
---
apiVersion: v1
kind: Service
metadata: { name: ${service} }
spec: { selector: { app: ${service} }, ports: [{ port: 8080, targetPort: 3000 }] }
`;

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster({ functions: { "test/echo": echo } });
}, patient);
afterAll(() => cluster.stop());

interface Said {
  readonly pod: string;
  readonly service: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** The two ports, from an Ingress' status: where a user would read them. */
async function ports(name: string): Promise<readonly [number, number]> {
  for (;;) {
    const [address] = (await cluster.client.get(ingresses, { namespace: "default", name })).status?.loadBalancer?.ingress ?? [];
    const [http, https] = (address?.ports ?? []).map(({ port }) => port);
    if (http !== undefined && https !== undefined) return [http, https];
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function ask(port: number, host: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, headers: { host }, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

async function until<T>(get: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await get();
    if (holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function servicesOf({ spec = {} }: Ingress): readonly string[] {
  const backends = [spec.defaultBackend, ...(spec.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend))];
  return [...new Set(backends.flatMap((backend) => backend?.service?.name ?? []))];
}

describe("conformance", () => {
  test("the shared cases are there", (ctx) => {
    if (!present) ctx.skip(`needs the shared case file ${file}`);
    expect(features.length).toBeGreaterThan(0);
  });

  for (const { feature, objects, cases } of features) {
    describe(feature, () => {
      beforeAll(async () => {
        const replicas = Math.max(1, ...cases.map(({ distinctPods = 1 }) => distinctPods));
        for (const service of new Set(objects.flatMap(servicesOf))) {
          await cluster.apply(workload(service, replicas));
          await cluster.untilReady(`deployment/${service}`, { timeout: patient });
        }
        for (const object of objects) await cluster.apply(JSON.stringify(object));
      }, patient);
      afterAll(async () => {
        for (const { metadata } of objects) await cluster.client.delete(ingresses, { namespace: "default", name: metadata.name ?? "" });
        for (const service of new Set(objects.flatMap(servicesOf)))
          await cluster.client.delete(deployments, { namespace: "default", name: service });
      });

      test.for(cases)("$name", { timeout: patient }, async ({ url, status, service, requests = 1, distinctPods = 1, ingressStatus }) => {
        const name = objects[0]?.metadata.name ?? "";
        if (ingressStatus === "must stay empty") {
          const { items } = await until(
            () => cluster.client.list(events, { namespace: "default" }),
            ({ items }) => items.some(({ reason, involvedObject }) => reason === "IngressClassNotFound" && involvedObject.name === name),
          );
          expect(items.length).toBeGreaterThan(0);
          expect((await cluster.client.get(ingresses, { namespace: "default", name })).status?.loadBalancer?.ingress).toBeUndefined();
          return;
        }
        const [http] = await ports(name);
        const { host, pathname } = new URL(url ?? "");
        await until(
          () => ask(http, host, pathname),
          (answer) => answer.status === status,
        );
        const answers: Answer[] = [];
        for (let count = 0; count < requests; count++) answers.push(await ask(http, host, pathname));
        expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([status]));
        if (status !== 200) return;
        const said = answers.map(({ text }) => JSON.parse(text) as Said);
        if (service !== undefined) expect(said[0]?.service).toBe(service);
        expect(new Set(said.map(({ pod }) => pod)).size).toBe(distinctPods);
      });
    });
  }
});

test(
  "HTTPS with a certificate of the local CA; pods see who asked; a scale to zero is a 503 with its reason",
  { timeout: patient },
  async () => {
    await cluster.apply(workload("shop", 2));
    await cluster.apply(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop }
spec:
  rules:
    - host: shop.localhost
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: shop, port: { number: 8080 } } } }] }
`);
    await cluster.untilReady("deployment/shop", { timeout: patient });
    const [http, https] = await ports("shop");
    const { text } = await until(
      () => ask(http, "shop.localhost", "/a?b=c"),
      ({ status }) => status === 200,
    );
    expect(JSON.parse(text)).toMatchObject({
      service: "shop",
      url: "/a?b=c",
      headers: { host: "shop.localhost", "x-forwarded-proto": "http", "x-real-ip": "127.0.0.1" },
    });

    // That its issuer can be trusted, and by whom, is test/browser's to show.
    const socket = tlsConnect({
      host: "127.0.0.1",
      port: https,
      servername: "shop.localhost",
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    await new Promise((resolve, reject) => socket.once("secureConnect", () => resolve(undefined)).once("error", reject));
    expect([socket.getPeerCertificate().subject.CN, socket.getPeerCertificate().issuer.CN, socket.alpnProtocol]).toEqual([
      "shop.localhost",
      "Fairlead local CA",
      "h2",
    ]);
    socket.destroy();

    const patch = async (replicas: number) =>
      cluster.client.patch(deployments, { namespace: "default", name: "shop" }, "application/merge-patch+json", { spec: { replicas } });
    await patch(0);
    // A pod may stop before its endpoint is gone: that moment's answer is a 502, as in any cluster.
    const refused = await until(
      () => ask(http, "shop.localhost", "/"),
      ({ status }) => status !== 200 && status !== 502,
    );
    expect(refused).toEqual({
      status: 503,
      text: "503 Service Unavailable\nNoEndpoints: Service default/shop has no ready endpoint for port 8080\n",
    });
    await patch(1);
    await until(
      () => ask(http, "shop.localhost", "/"),
      ({ status }) => status === 200,
    );
  },
);

test("a roll-out under requests: every one is answered by a pod", { timeout: patient }, async () => {
  const [http] = await ports("shop");
  const outcomes = new Map<string, number>();
  const rollOut = { over: false };
  const load = (async () => {
    do {
      const answer = await ask(http, "shop.localhost", "/").catch((error: Error) => ({ status: 0, text: error.message }));
      const outcome = answer.status === 200 ? "200" : answer.text;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } while (!rollOut.over);
  })();
  const read = () => cluster.client.get(deployments, { namespace: "default", name: "shop" });
  await cluster.client.patch(deployments, { namespace: "default", name: "shop" }, "application/merge-patch+json", {
    spec: { replicas: 2, template: { metadata: { annotations: { round: "two" } } } },
  });
  await until(
    read,
    ({ metadata, spec, status }) =>
      status?.observedGeneration === metadata.generation &&
      status?.updatedReplicas === spec?.replicas &&
      status?.availableReplicas === spec?.replicas &&
      status?.replicas === spec?.replicas,
  );
  rollOut.over = true;
  await load;
  expect([...outcomes.keys()]).toEqual(["200"]);
});
