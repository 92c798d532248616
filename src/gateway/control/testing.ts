/** For tests: Gateway API objects served by an engine on this machine, without an API server; backends say what they were asked. */
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer, createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { createServer as createHttps } from "node:https";
import { createServer as createNet, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import type { KubeObject } from "../../api/object.ts";
import type { ConfigMap, EndpointSlice, Namespace, Secret, Service } from "../../api/types.ts";
import type {
  Condition,
  GatewayClass,
  GatewayObject,
  ListenerSet,
  ReferenceGrant,
  BackendTlsPolicy,
  AnyRoute,
} from "../../decide/routes/gateway-api/index.ts";
import {
  gatewayStatus,
  listenerSetStatus,
  policyAncestors,
  routeParents,
  type GatewayFacts,
} from "../../decide/routes/gateway-api/index.ts";
import { realClock } from "../../lib/clock.ts";
import { readSecret } from "../certificates.ts";
import { testEngine, type Opened } from "../testing.ts";
import { GatewayTracker, type GatewayChange, type TrackerWorld } from "./gateway-tracker.ts";
import { listenerTls } from "./listener-tls.ts";

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** One echo server for each (namespace, app, what it speaks). */
export class EchoBackends {
  readonly #opened: Opened;
  readonly #tls: Pair;
  readonly #ports = new Map<string, Promise<number>>();
  /** `app` of every request that came, mirrors too. */
  readonly seen: string[] = [];
  readonly #attempts = new Map<string, number>();

  constructor(opened: Opened, tls: Pair) {
    this.#opened = opened;
    this.#tls = tls;
  }

  port(namespace: string, app: string, targetPort: number): Promise<number> {
    const key = `${namespace} ${app} ${targetPort}`;
    let port = this.#ports.get(key);
    if (port === undefined) this.#ports.set(key, (port = this.#listen(this.#server(namespace, app, targetPort))));
    return port;
  }

  #server(namespace: string, app: string, targetPort: number): Server {
    const secure = targetPort === 8443;
    const answer = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) =>
      void this.#answer(namespace, app, request, response as ServerResponse);
    if (app.startsWith("tcp")) {
      const say = (socket: Socket) => void socket.on("error", () => {}).end(JSON.stringify({ namespace, app }));
      return secure ? createTls(this.#tls, say) : createNet(say);
    }
    if (app.startsWith("grpc") || targetPort === 3001) return secure ? createSecureServer(this.#tls, answer) : createHttp2(answer);
    return secure ? createHttps(this.#tls, answer) : createHttp(answer);
  }

  async #listen(server: Server): Promise<number> {
    const sockets = new Set<{ destroy(): void }>();
    server.on("connection", (socket) => void sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#opened.add(server, () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((done) => server.close(done));
    });
    return (server.address() as AddressInfo).port;
  }

  /** As the suite's echo-basic: says what it got, sets headers that it is asked to set, fails as often as it is asked to. */
  async #answer(namespace: string, app: string, request: IncomingMessage | Http2ServerRequest, response: ServerResponse): Promise<void> {
    this.seen.push(app);
    const url = new URL(request.url ?? "/", "http://echo");
    const wait = (name: string) => new Promise((done) => setTimeout(done, milliseconds(url.searchParams.get(name))));
    await wait("delay");
    if (url.pathname.startsWith("/retry/")) {
      const id = url.searchParams.get("uuid") ?? "";
      const tried = this.#attempts.get(id) ?? 0;
      if (tried < Number(url.searchParams.get("succeedAfter"))) {
        this.#attempts.set(id, tried + 1);
        await wait("delayRetry");
        const code = url.searchParams.get("responseCode");
        if (code === null) return void request.socket.destroy();
        return void response.writeHead(Number(code)).end();
      }
    }
    for (const pair of String(request.headers["x-echo-set-header"] ?? "").split(",")) {
      const colon = pair.indexOf(":");
      if (colon > 0) response.appendHeader(pair.slice(0, colon).trim(), pair.slice(colon + 1).trim());
    }
    const { headers } = request;
    const body = { namespace, app, path: request.url, method: request.method, host: headers[":authority"] ?? headers.host, headers };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  }
}

function milliseconds(text: string | null): number {
  const [, number = "0", unit = "ms"] = /^([\d.]+)(ms|s)$/.exec(text ?? "") ?? [];
  return Number(number) * (unit === "s" ? 1000 : 1);
}

export interface ServedObjects {
  readonly tracker: GatewayTracker;
  /** Where a Gateway's port is; undefined: it has none. */
  readonly portOf: (gateway: string, port: number) => number | undefined;
  /** Every condition in every status. */
  readonly conditions: readonly Condition[];
  readonly change: GatewayChange;
}

export const testController = "example.net/gateway-controller";

type Stored = KubeObject & { readonly spec?: unknown };

/** All ports of all Gateways on 127.0.0.1, wherever there is room. */
export async function serveObjects(opened: Opened, objects: readonly Stored[], backends: EchoBackends): Promise<ServedObjects> {
  const world = await worldOf(objects, backends);
  const tracker = new GatewayTracker(world);
  const of = <T>(kind: string) => objects.filter((each) => each.kind === kind) as unknown as readonly T[];
  for (const gateway of of<GatewayObject>("Gateway")) tracker.setGateway(gateway);
  for (const set of of<ListenerSet>("ListenerSet")) tracker.setListenerSet(set);
  for (const kind of ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"])
    for (const route of of<AnyRoute>(kind)) tracker.setRoute(route);
  for (const { metadata } of of<BackendTlsPolicy>("BackendTLSPolicy")) tracker.policiesChanged(metadata.namespace ?? "");
  const change = tracker.work(() => false) as GatewayChange;
  const engine = testEngine({ clock: realClock, random: () => 0 });
  opened.add(engine, () => engine.stop());
  const tables = [...change.gateways.values()].flatMap((each) => each ?? []);
  const ports = tables.flatMap((each) => each.ports);
  engine.publish({
    routeTable: {
      kind: "RouteTable",
      listeners: tables.flatMap(({ listeners }) => listeners),
      streams: tables.flatMap(({ streams }) => streams),
    },
    backends: change.backends,
    tls: new Map(
      ports.flatMap((port) => {
        const tls = listenerTls(port, world);
        return tls === undefined ? [] : [[port.name, tls] as const];
      }),
    ),
  });
  const open = new Map<string, number>();
  for (const { name, protocol } of ports) {
    const listener = await engine.listen({ name, protocol, host: "127.0.0.1", port: 0 });
    if (listener.kind === "ok") open.set(name, listener.port);
  }
  return {
    tracker,
    change,
    portOf: (gateway, port) => open.get(`${gateway}:${port}/tcp`) ?? open.get(`${gateway}:${port}/udp`),
    conditions: allConditions(tracker, change, open),
  };
}

async function worldOf(
  objects: readonly Stored[],
  backends: EchoBackends,
): Promise<TrackerWorld & { readonly secret: TrackerWorld["secret"] }> {
  const find = <T>(kind: string, namespace: string | undefined, name: string): T | undefined =>
    objects.find(
      (each) => each.kind === kind && each.metadata.name === name && (namespace === undefined || each.metadata.namespace === namespace),
    ) as unknown as T | undefined;
  const slices = new Map<string, readonly EndpointSlice[]>();
  for (const service of objects.filter(({ kind }) => kind === "Service") as unknown as readonly Service[]) {
    slices.set(`${service.metadata.namespace}/${service.metadata.name}`, [await sliceOf(service, backends)]);
  }
  return {
    controllerName: testController,
    gatewayClass: (name) => find<GatewayClass>("GatewayClass", undefined, name),
    namespaceLabels: (name) => {
      const found = find<Namespace>("Namespace", undefined, name);
      // As the API server has it.
      return found === undefined ? undefined : { "kubernetes.io/metadata.name": name, ...found.metadata.labels };
    },
    service: (namespace, name) => find<Service>("Service", namespace, name),
    secret: (namespace, name) => find<Secret>("Secret", namespace, name),
    configMap: (namespace, name) => find<ConfigMap>("ConfigMap", namespace, name),
    slices: (namespace, name) => slices.get(`${namespace}/${name}`) ?? [],
    grants: (namespace) =>
      objects.filter(
        ({ kind, metadata }) => kind === "ReferenceGrant" && metadata.namespace === namespace,
      ) as unknown as readonly ReferenceGrant[],
    backendTlsPolicies: (namespace) =>
      objects.filter(
        ({ kind, metadata }) => kind === "BackendTLSPolicy" && metadata.namespace === namespace,
      ) as unknown as readonly BackendTlsPolicy[],
    certificateFault: (secret) => {
      const read = readSecret(secret);
      return typeof read === "string" ? read : undefined;
    },
    bundleFault: (pem) => (pem.includes("BEGIN CERTIFICATE") ? undefined : "has no certificate in PEM"),
  };
}

async function sliceOf({ metadata, spec }: Service, backends: EchoBackends): Promise<EndpointSlice> {
  const app = spec?.selector?.["app"] ?? metadata.name ?? "";
  const ports = await Promise.all(
    (spec?.ports ?? []).map(async ({ name = "", port, targetPort = port, protocol = "TCP" }) => ({
      name,
      protocol,
      port: protocol === "UDP" ? 9 : await backends.port(metadata.namespace ?? "", app, Number(targetPort)),
    })),
  );
  return {
    metadata: { name: `${metadata.name}-1`, namespace: metadata.namespace ?? "" },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports,
  } as EndpointSlice;
}

const now = "2026-01-01T00:00:00Z";

function allConditions(tracker: GatewayTracker, { touched }: GatewayChange, open: ReadonlyMap<string, number>): readonly Condition[] {
  const facts: GatewayFacts = {
    addresses: ["127.0.0.1"],
    unusable: [],
    bound: (name) => {
      const port = open.get(name);
      return port === undefined ? { kind: "pending" } : { kind: "ok", port };
    },
    attachedRoutes: (id) => tracker.attachedRoutes(id),
  };
  const ofGateways = [...tracker.gateways()].flatMap((plan) => {
    const unusable = (plan.gateway.spec.addresses ?? []).flatMap(({ value = "" }) => (value.includes("UNUSABLE") ? [value] : []));
    const status = gatewayStatus(plan, { ...facts, unusable }, now);
    const sets = plan.sets.map((set) => listenerSetStatus(plan, set, facts, now));
    return [status, ...sets].flatMap(({ conditions = [], listeners = [] }) => [
      ...conditions,
      ...listeners.flatMap((each) => each.conditions),
    ]);
  });
  const ofRoutes = [...touched.routes].flatMap((key) => {
    const plan = tracker.route(key);
    return plan === undefined ? [] : routeParents(plan, testController, now).flatMap(({ conditions = [] }) => conditions);
  });
  const ofPolicies = [...touched.policies].flatMap((key) => {
    const plan = tracker.policy(key);
    return plan === undefined
      ? []
      : policyAncestors(plan, tracker.gatewaysOf(plan.services), testController, now).flatMap(({ conditions }) => conditions);
  });
  return [...ofGateways, ...ofRoutes, ...ofPolicies];
}
