/** The controller before an API: definitions that come late, addresses, ports that come and go, statuses, others' statuses. */
import { afterEach, expect, test } from "vitest";
import type { KubeObject } from "../../api/object.ts";
import {
  configMaps,
  customResourceDefinitions,
  endpointSlices,
  namespaces,
  secrets,
  services,
  type Resource,
} from "../../api/resources.ts";
import type { CustomResourceDefinition, EndpointSlice, Service } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { createFakeApi } from "../../client/fake-api.ts";
import { inProcessTransport } from "../../client/in-process.ts";
import { createInformerFactory } from "../../client/informer-factory.ts";
import { createClient } from "../../client/rest.ts";
import type { GatewayObject, HttpRoute } from "../../decide/routes/gateway-api/index.ts";
import { realClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { httpEndpoint, Opened } from "../testing.ts";
import { createGatewayController, gatewayController } from "./controller.ts";
import { gatewayKinds } from "./resources.ts";

const opened = new Opened();
afterEach(() => opened.closeAll());

const group = "gateway.networking.k8s.io";
const plurals = { GatewayClass: "gatewayclasses", BackendTLSPolicy: "backendtlspolicies" } as Readonly<Record<string, string>>;
const resource = (kind: string): Resource<KubeObject> => ({
  group,
  version: "v1",
  plural: plurals[kind] ?? `${kind.toLowerCase()}s`,
  kind,
  namespaced: kind !== "GatewayClass",
});
const gateways = resource("Gateway") as Resource<GatewayObject & KubeObject>;
const httpRoutes = resource("HTTPRoute") as Resource<HttpRoute & KubeObject>;

function definition(kind: string): CustomResourceDefinition {
  const { plural, namespaced } = resource(kind);
  return {
    metadata: {
      name: `${plural}.${group}`,
      annotations: { "gateway.networking.k8s.io/bundle-version": "v1.6.3", "gateway.networking.k8s.io/channel": "standard" },
    },
    spec: {
      group,
      scope: namespaced ? "Namespaced" : "Cluster",
      names: { kind, plural },
      versions: [{ name: "v1", served: true, storage: true }],
    },
    status: { conditions: [{ type: "Established", status: "True" }] },
  } as CustomResourceDefinition;
}

async function start() {
  const api = createFakeApi([
    customResourceDefinitions,
    namespaces,
    services,
    endpointSlices,
    secrets,
    configMaps,
    ...gatewayKinds.map(resource),
  ]);
  const client = createClient(inProcessTransport(api, { name: "gateway", groups: [] }), { fieldManager: "gateway" });
  const informers = createInformerFactory(client, { clock: realClock });
  opened.add(informers, () => informers.stop());
  const controller = createGatewayController({
    client,
    informers,
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
    addresses: { cidr: "127.77.192.0/24" },
    defaultClass: "fairlead",
  });
  opened.add(controller, () => controller.stop());
  await controller.start();
  informers.start();
  await client.create(namespaces, { metadata: { name: "shop" } });
  return { client, controller };
}

async function backend(client: Client, name: string): Promise<void> {
  const { port } = await httpEndpoint(opened, (_, response) => void response.end(name));
  await client.create(services, { metadata: { namespace: "shop", name }, spec: { ports: [{ port: 80 }] } } as Service);
  await client.create(endpointSlices, {
    metadata: { namespace: "shop", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports: [{ name: "", port, protocol: "TCP" }],
  } as EndpointSlice);
}

const gateway = (...ports: readonly number[]): GatewayObject & KubeObject =>
  ({
    metadata: { namespace: "shop", name: "edge", generation: ports.length },
    spec: { gatewayClassName: "fairlead", listeners: ports.map((port) => ({ name: `p${port}`, port, protocol: "HTTP" })) },
  }) as GatewayObject & KubeObject;

const route = (service: string, generation = 1): HttpRoute & KubeObject =>
  ({
    kind: "HTTPRoute",
    metadata: { namespace: "shop", name: "web", generation },
    spec: { parentRefs: [{ name: "edge" }], rules: [{ backendRefs: [{ name: service, port: 80 }] }] },
  }) as HttpRoute & KubeObject;

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const get = async (address: string, port: number): Promise<string> => {
  try {
    const answer = await fetch(`http://${address}:${port}/`);
    return `${answer.status} ${(await answer.text()).split("\n")[0]}`;
  } catch {
    return "refused";
  }
};

test(
  "definitions that come late; a Gateway gets an address and listens; edits are live; a port that goes is closed, others stay",
  { timeout: 60_000 },
  async () => {
    const { client } = await start();
    await backend(client, "one");
    await backend(client, "two");
    for (const kind of gatewayKinds) await client.create(customResourceDefinitions, definition(kind));
    await until(async () => (await client.list(resource("GatewayClass"))).items.length === 1);
    await client.create(gateways, gateway(18_080, 18_081));
    await client.create(httpRoutes, route("one"));
    const status = async () => (await client.get(gateways, { namespace: "shop", name: "edge" })).status;
    await until(
      async () =>
        (await status())?.listeners?.every(
          ({ conditions, attachedRoutes }) =>
            attachedRoutes === 1 && conditions.some(({ type, status: is }) => type === "Programmed" && is === "True"),
        ) === true,
    );
    const address = (await status())?.addresses?.[0]?.value ?? "";
    expect(address).toMatch(/^127\.77\.192\.\d+$/);
    await until(async () => (await get(address, 18_080)) === "200 one");
    expect(await get(address, 18_081)).toBe("200 one");

    await client.patch(httpRoutes, { namespace: "shop", name: "web" }, "application/merge-patch+json", {
      metadata: { generation: 2 },
      spec: route("two").spec,
    });
    await until(async () => (await get(address, 18_080)) === "200 two");

    await client.patch(gateways, { namespace: "shop", name: "edge" }, "application/merge-patch+json", {
      metadata: { generation: 3 },
      spec: gateway(18_080).spec,
    });
    await until(async () => (await get(address, 18_081)) === "refused");
    expect(await get(address, 18_080)).toBe("200 two");
    await until(async () => (await status())?.listeners?.length === 1);
    expect((await status())?.addresses?.[0]?.value).toBe(address);
  },
);

test(
  "a class says what it can do; other controllers' verdicts on a route stay; a backend that is missing is 500 and named",
  { timeout: 60_000 },
  async () => {
    const { client } = await start();
    for (const kind of gatewayKinds) await client.create(customResourceDefinitions, definition(kind));
    await client.create(gateways, gateway(18_082));
    const foreign = { parentRef: { name: "elsewhere" }, controllerName: "example.com/other", conditions: [] };
    await client.create(httpRoutes, { ...route("missing"), status: { parents: [foreign] } } as HttpRoute & KubeObject);
    const parents = async () => (await client.get(httpRoutes, { namespace: "shop", name: "web" })).status?.parents ?? [];
    await until(async () => (await parents()).length === 2);
    expect((await parents())[0]).toEqual(foreign);
    expect((await parents())[1]).toMatchObject({
      controllerName: gatewayController,
      conditions: [
        { type: "Accepted", status: "True", observedGeneration: 1 },
        { type: "ResolvedRefs", status: "False", reason: "BackendNotFound" },
      ],
    });
    const edge = await client.get(gateways, { namespace: "shop", name: "edge" });
    await until(async () => (await get(edge.status?.addresses?.[0]?.value ?? "127.77.192.1", 18_082)) === "500 500 Internal Server Error");
    await until(
      async () =>
        ((await client.get(resource("GatewayClass"), { name: "fairlead" })) as { status?: { supportedFeatures?: readonly object[] } })
          .status?.supportedFeatures !== undefined,
    );
    const { status } = (await client.get(resource("GatewayClass"), { name: "fairlead" })) as {
      status?: { supportedFeatures?: readonly { name: string }[] };
    };
    // Of the standard channel: fields of the experimental one do not exist.
    expect(status?.supportedFeatures?.map(({ name }) => name)).not.toContain("HTTPRouteRetry");
  },
);
