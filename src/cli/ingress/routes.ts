/** `fairlead ingress routes` and `explain URL`: the route table of a cluster as its objects make it now. */
import { endpointSlices, ingressClasses, ingresses, services } from "../../api/resources.ts";
import type { EndpointSlice, Service } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { routeWorldOf } from "../../decide/explain/route-world.ts";
import { refText } from "../../decide/explain/snapshot.ts";
import { worldOf } from "../../decide/explain/world.ts";
import {
  belongsTo,
  explain as explainRoute,
  ingressController,
  normalizePath,
  portText,
  processors,
  requestHost,
  resolveBackend,
  standInClasses,
  type BackendRef,
  type Listener,
  type Processed,
  type Route,
  type RouteRequest,
} from "../../decide/routes/index.ts";
import { FairleadError } from "../../lib/errors.ts";
import { connect, findCluster } from "../connect.ts";
import { fromCluster } from "../explain/read-snapshot.ts";
import type { Terminal } from "../terminal.ts";
import type { ClusterFlags } from "./command.ts";

export interface Reading extends Processed {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  /** Those of Gateways, each with its port. */
  readonly gateways: readonly GatewayListener[];
  /** HTTPRoutes and GRPCRoutes that no listener has. */
  readonly unattached: readonly string[];
}

interface GatewayListener {
  readonly name: string;
  readonly port: number;
  readonly listener: Listener;
}

async function read(flags: ClusterFlags): Promise<Reading> {
  const connection = await connect(flags.kubeconfig ?? findCluster(flags).kubeconfig);
  try {
    return await readAll(connection.client);
  } finally {
    await connection.close();
  }
}

async function readAll(client: Client): Promise<Reading> {
  const [ingressList, classList, serviceList, sliceList, snapshot] = await Promise.all([
    client.list(ingresses),
    client.list(ingressClasses),
    client.list(services),
    client.list(endpointSlices),
    fromCluster(client, {}),
  ]);
  const { listeners, outside } = routeWorldOf(worldOf(snapshot));
  const processed = processors(
    { ingresses: ingressList.items, ingressClasses: classList.items, services: serviceList.items, endpointSlices: sliceList.items },
    { controller: ingressController, standInFor: standInClasses, serveClassless: true },
  );
  return {
    ...processed,
    services: serviceList.items,
    slices: sliceList.items,
    gateways: listeners.flatMap(({ listener, port, name }) => (port === undefined ? [] : [{ listener, port, name }])),
    unattached: outside.flatMap(({ ref, code, message }) => (code === "RouteNotAttached" ? [`${refText(ref)}: ${message}`] : [])),
  };
}

export async function routes(flags: ClusterFlags, terminal: Terminal): Promise<number> {
  const reading = await read(flags);
  if (flags.output === "json") {
    const { routeTable, statuses, gateways, unattached } = reading;
    terminal.print(JSON.stringify({ routeTable, statuses, gateways, unattached }, null, 2));
  } else terminal.print(routesText(reading, terminal));
  return 0;
}

/** Exported for its test. */
export function routesText(reading: Reading, { paint }: Terminal): string {
  const lines = hostLines(httpListener(reading), reading, paint);
  for (const { name, listener } of reading.gateways) {
    lines.push(paint.bold(name));
    for (const section of listener.sections ?? [listener]) lines.push(...hostLines(section, reading, paint).map((line) => `  ${line}`));
  }
  for (const text of reading.unattached) lines.push(`${paint.yellow("!")} ${text}`);
  for (const { namespace, name, verdict, problems } of reading.statuses) {
    if (verdict.kind === "not-ours") lines.push(`${paint.dim(`Ingress ${namespace}/${name} is not served: ${verdict.message}`)}`);
    for (const { severity, source, message } of problems) {
      lines.push(`${severity === "error" ? paint.red("!") : paint.yellow("!")} Ingress ${namespace}/${name} ${source.field}: ${message}`);
    }
  }
  return lines.length === 0 ? "no Ingress, no Gateway" : lines.join("\n");
}

function hostLines({ virtualHosts }: Pick<Listener, "virtualHosts">, reading: Reading, paint: Terminal["paint"]): string[] {
  return virtualHosts.flatMap(({ host, routes: list }) => [
    paint.bold(host === "*" ? "any host" : host),
    ...list.map(
      (route) => `  ${matchText(route).padEnd(32)} ${route.backends.map((ref) => backendText(ref, reading)).join(", ") || "nothing"}`,
    ),
  ]);
}

function httpListener({ routeTable }: Processed): Listener {
  return routeTable.listeners.find(({ protocol }) => protocol === "HTTP") as Listener;
}

function matchText({ match: { path, method, headers = [], query = [] } }: Route): string {
  const words = { exact: "Exact ", prefix: "Prefix", regex: "Pattern" } as const;
  const conditions = [
    ...(method === undefined ? [] : [method]),
    ...headers.map(({ name, value }) => `${name}: ${value}`),
    ...query.map(({ name, value }) => `?${name}=${value}`),
  ];
  const where = path.kind === "default" ? "default backend" : `${words[path.kind]} ${path.value}`;
  return [where, ...conditions].join(" ");
}

function backendText(ref: BackendRef, { services: all, slices }: Reading): string {
  const service = all.find(({ metadata }) => metadata.namespace === ref.namespace && metadata.name === ref.name);
  const backend = resolveBackend(
    ref,
    service,
    slices.filter((slice) => belongsTo(slice, ref)),
  );
  const behind =
    backend.kind === "unusable"
      ? backend.reason
      : backend.endpoints.map(({ ip, port }) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`)).join(", ");
  return `${ref.namespace}/${ref.name}:${portText(ref.port)} → ${behind}`;
}

/** 0: a rule takes it; 1: none does. */
export async function explain(url: string, method: string, flags: ClusterFlags, terminal: Terminal): Promise<number> {
  const target = parseUrl(url);
  const reading = await read(flags);
  const request: RouteRequest = {
    host: requestHost(target.host),
    path: target.path,
    method,
    header: () => undefined,
    query: (name) => target.query.get(name) ?? undefined,
  };
  // The Ingresses' ports are what the machine lets them have; a Gateway's are its own.
  const asked = [httpListener(reading), ...reading.gateways.flatMap(({ port, listener }) => (port === target.port ? [listener] : []))];
  const all = asked.map((listener) => explainRoute(listener, request));
  const explanation = {
    chosen: all.find(({ chosen }) => chosen !== undefined)?.chosen,
    candidates: all.flatMap(({ candidates }) => candidates),
  };
  if (flags.output === "json") terminal.print(JSON.stringify(explanation, null, 2));
  else {
    const { paint } = terminal;
    for (const { host, route, rejected } of explanation.candidates) {
      const rule = `${host === "*" ? "any host" : host} ${matchText(route)}`;
      if (rejected === undefined)
        terminal.print(`${paint.green("✓")} ${rule}: ${route.backends.map((ref) => backendText(ref, reading)).join(", ")}  (${route.id})`);
      else terminal.print(paint.dim(`  ${rule}: ${rejected.detail}  (${route.id})`));
    }
    if (explanation.chosen === undefined) terminal.print(`${paint.red("✗")} no rule takes ${method} ${url}: 404`);
  }
  return explanation.chosen === undefined ? 1 : 0;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly query: URLSearchParams;
}

function parseUrl(text: string): Target {
  // Not by `URL`, which would tidy the path before the gateway's own rules see it.
  const [, scheme = "", host, rest = "/"] = /^(https?):\/\/([^/?#]+)([^#]*)/i.exec(text) ?? [];
  if (host === undefined) throw new FairleadError("FL_USAGE", `${text} is no URL`, { hint: "Such as http://shop.localhost/cart" });
  const [raw = "/", query = ""] = rest.split(/\?(.*)/s);
  const path = normalizePath(raw === "" ? "/" : raw);
  if (path.kind === "bad") throw new FairleadError("FL_USAGE", `${text}: ${path.why}: the gateway answers 400`);
  const port = Number(/:(\d{1,5})$/.exec(host)?.[1] ?? (scheme.toLowerCase() === "https" ? 443 : 80));
  return { host, port, path: path.path, query: new URLSearchParams(query) };
}
