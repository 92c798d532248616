/** Carries TCP connections: an endpoint that cannot be reached is passed over before the client notices anything. */
import type { StreamSocket } from "../../../net/stream-socket.ts";
import type { PlanEndpoint } from "../../../decide/proxy/index.ts";
import type { Balancer } from "./balancer.ts";
import { encodeProxyHeader } from "../../../net/proxy-protocol.ts";
import { relay } from "../../../net/relay.ts";
import type { HttpPool } from "../../http-pool.ts";
import type { ProxyMetrics } from "../../metrics.ts";
import type { ConnectResult, Transport } from "../../transport.ts";
import { clientText, type Route } from "./address.ts";

/** How long each next endpoint may take to answer, in ms (upstream userspace's EndpointDialTimeouts). */
const connectTimeouts = [250, 500, 1000, 2000];

export type Reached = { readonly socket: StreamSocket; readonly endpoint: PlanEndpoint } | undefined;

export interface ReachOptions {
  readonly balancer: Balancer<PlanEndpoint>;
  readonly client: string;
  readonly masquerade: boolean;
  readonly metrics: ProxyMetrics;
  readonly transport: Transport;
}

/** Connects to the first endpoint that answers, each at most once; undefined: none does. */
export function reach({ balancer, client, masquerade, metrics, transport }: ReachOptions, done: (reached: Reached) => void): void {
  let failed: Set<PlanEndpoint> | undefined;
  const next = () => {
    const endpoint = balancer.pick(client, failed);
    if (endpoint === undefined) return done(undefined);
    const timeoutMs = connectTimeouts[failed?.size ?? 0] ?? 2000;
    const answered = (result: ConnectResult) => {
      if (!("failed" in result)) {
        balancer.count(endpoint);
        return done({ socket: result, endpoint });
      }
      metrics.retries.inc();
      failed = (failed ?? new Set()).add(endpoint);
      next();
    };
    transport.connect({ endpoint, client, masquerade }, timeoutMs, answered);
  };
  next();
}

export interface CarryOptions {
  readonly route: (client: string) => Route;
  /** What takes the connection where its requests are balanced, each by itself. */
  readonly requests: (balancer: Balancer<PlanEndpoint>) => HttpPool | undefined;
  readonly metrics: ProxyMetrics;
  readonly transport: Transport;
  /** Clients being carried, so that a stop can cut them. */
  readonly open: Set<StreamSocket>;
}

/** Takes an accepted, paused socket from here to its end. */
export function carry(socket: StreamSocket, { route, requests, metrics, transport, open }: CarryOptions): void {
  const client = clientText(socket.remoteAddress);
  const target = route(client);
  if (target.kind === "refuse") return refuse(socket, target.reason, metrics);
  open.add(socket);
  metrics.openConnections.inc();
  const gone = () => {
    open.delete(socket);
    metrics.openConnections.inc(-1);
  };
  socket.once("close", gone);
  socket.on("error", closedByItself);
  const { balancer, masquerade, announce } = target;
  const pool = requests(balancer);
  if (pool !== undefined) {
    metrics.connections.inc();
    return pool.serve(socket);
  }
  reach({ balancer, client, masquerade, metrics, transport }, (reached) => {
    if (reached === undefined) return refuse(socket, "AllEndpointsFailed", metrics);
    if (socket.destroyed) return void reached.socket.destroy();
    metrics.connections.inc();
    if (announce !== undefined) {
      const source = { address: client, port: socket.remotePort ?? 0 };
      reached.socket.write(encodeProxyHeader(announce.version, { source, destination: announce.destination }));
    }
    relay(socket, reached.socket, { onClose: balancer.began(reached.endpoint) });
  });
}

/** A reset is what a client of a closed port gets. */
function refuse(socket: StreamSocket, reason: string, metrics: ProxyMetrics): void {
  metrics.refused.labels(reason).inc();
  socket.resetAndDestroy();
}

function closedByItself(): void {
  // The client has gone while an endpoint was sought: `close` follows and says so.
}
