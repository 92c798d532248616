/**
 * The engine behind one Service port instead of a Gateway: one route that takes everything, and sockets that somebody else has
 * accepted. Which endpoint is next is the proxy's to say, so that a Service has one algorithm and one affinity whoever carries it.
 */
import type { Route } from "../decide/routes/index.ts";
import type { Clock } from "../lib/clock.ts";
import { FairleadError } from "../lib/errors.ts";
import type { StreamSocket } from "../net/stream-socket.ts";
import type { ChooseEndpoint } from "./engine/backends.ts";
import type { Carrier } from "./engine/carrier.ts";
import { createProxyEngine } from "./engine/proxy-engine.ts";
import type { Endpoint } from "./engine/upstream.ts";

/** Structurally the proxy's `HttpPoolOptions`, where each is explained. */
export interface ServicePoolOptions {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  readonly speaks: "http1" | "h2c";
  readonly clock: Clock;
  readonly choose: (client: string, usable: ReadonlyMap<string, Endpoint>) => string | undefined;
  readonly connect: Carrier["connect"];
  readonly soon?: Carrier["soon"] | undefined;
}

export interface ServicePool {
  serve(socket: StreamSocket): void;
  update(endpoints: readonly { readonly ip: string; readonly port: number }[]): void;
  drain(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A Service promises to carry, however long an endpoint thinks or is silent (a watch, events, a stream of gRPC): only what a client
 * leaves half-said is limited as at the edge. A dead endpoint is passed over sooner than there.
 */
const hourMs = 3_600_000;
const limits = { connectMs: 1000, responseMs: hourMs, bodyMs: hourMs };

export function openServicePool(options: ServicePoolOptions): ServicePool {
  const { namespace, name, port, speaks } = options;
  const key = `${namespace}/${name}:${port}`;
  let adopt: (socket: StreamSocket) => void = (socket) => void socket.destroy();
  const carrier = adoptingCarrier(options, (take) => (adopt = take));
  const engine = createProxyEngine(carrier, { random: Math.random, limits, choose: chooser(options.choose) });
  engine.publish({
    routeTable: {
      kind: "RouteTable",
      listeners: [{ name: key, protocol: "HTTP", virtualHosts: [{ host: "*", routes: [everything(options)] }], certificates: [] }],
    },
  });
  const listening = engine.listen({ name: key, protocol: "HTTP", host: "", port });
  return {
    serve: (socket) => void listening.then(() => adopt(socket)),
    update: (endpoints) => engine.publish({ backends: new Map([[key, { kind: "endpoints", endpoints, speaks }]]) }),
    async drain() {
      const listener = await listening;
      if (listener.kind === "ok") await listener.close();
    },
    stop: () => engine.stop(),
  };
}

function everything({ namespace, name, port, speaks }: ServicePoolOptions): Route {
  return {
    id: `Service ${namespace}/${name}:${port}`,
    source: { kind: "Service", namespace, name, field: "" },
    match: { path: { kind: "default" } },
    filters: [],
    backends: [{ kind: "Service", namespace, name, port: { kind: "number", number: port }, weight: 1, speaks }],
    timeouts: {},
  };
}

/** The proxy names endpoints by address. The engine asks with the same list until something changes. */
function chooser(choose: ServicePoolOptions["choose"]): ChooseEndpoint {
  const known = new WeakMap<readonly Endpoint[], ReadonlyMap<string, Endpoint>>();
  return (endpoints, { client }) => {
    let byAddress = known.get(endpoints);
    if (byAddress === undefined)
      known.set(endpoints, (byAddress = new Map(endpoints.map((each) => [`${each.address.ip} ${each.address.port}`, each]))));
    return byAddress.get(choose(client.address, byAddress) ?? "") ?? (endpoints[0] as Endpoint);
  };
}

/** Listens to nothing: `onListen` is told what takes the connections that others accept. */
function adoptingCarrier(
  { clock, connect, soon = (run) => void setImmediate(run) }: ServicePoolOptions,
  onListen: (take: (socket: StreamSocket) => void) => void,
): Carrier {
  return {
    clock,
    soon,
    connect,
    async listen({ host, port, onConnection }) {
      onListen(onConnection);
      return { kind: "ok", host, port, close: async () => undefined };
    },
    bindUdp: plainOnly,
    udpTarget: plainOnly,
    tlsServer: plainOnly,
    tlsClient: plainOnly,
  };
}

function plainOnly(): never {
  throw new FairleadError("FL_INTERNAL", "a Service port carries plain HTTP, whose connections somebody else accepts");
}
