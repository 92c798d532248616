/** `fairlead ingress routes` and `explain URL`: the route table of a cluster as its objects make it now. */
import { endpointSlices, ingressClasses, ingresses, services } from "../../api/resources.ts";
import type { EndpointSlice, Service } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import {
  belongsTo,
  explain as explainRoute,
  ingressController,
  normalizePath,
  portText,
  processors,
  requestHost,
  resolveBackend,
  type BackendRef,
  type Listener,
  type Processed,
  type Route,
} from "../../decide/routes/index.ts";
import { FairleadError } from "../../lib/errors.ts";
import { connect, findCluster } from "../connect.ts";
import type { Terminal } from "../terminal.ts";
import type { ClusterFlags } from "./command.ts";

interface Reading extends Processed {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
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
  const [ingressList, classList, serviceList, sliceList] = await Promise.all([
    client.list(ingresses),
    client.list(ingressClasses),
    client.list(services),
    client.list(endpointSlices),
  ]);
  const processed = processors(
    { ingresses: ingressList.items, ingressClasses: classList.items, services: serviceList.items, endpointSlices: sliceList.items },
    { controller: ingressController, standInFor: ["nginx", "traefik"], serveClassless: true },
  );
  return { ...processed, services: serviceList.items, slices: sliceList.items };
}

export async function routes(flags: ClusterFlags, terminal: Terminal): Promise<number> {
  const reading = await read(flags);
  if (flags.output === "json") terminal.print(JSON.stringify({ routeTable: reading.routeTable, statuses: reading.statuses }, null, 2));
  else terminal.print(routesText(reading, terminal));
  return 0;
}

function routesText(reading: Reading, { paint }: Terminal): string {
  const lines: string[] = [];
  for (const { host, routes: list } of httpListener(reading).virtualHosts) {
    lines.push(paint.bold(host === "*" ? "any host" : host));
    for (const route of list)
      lines.push(`  ${pathText(route).padEnd(32)} ${route.backends.map((ref) => backendText(ref, reading)).join(", ") || "nothing"}`);
  }
  for (const { namespace, name, verdict, problems } of reading.statuses) {
    if (verdict.kind === "not-ours") lines.push(`${paint.dim(`Ingress ${namespace}/${name} is not served: ${verdict.message}`)}`);
    for (const { severity, source, message } of problems) {
      lines.push(`${severity === "error" ? paint.red("!") : paint.yellow("!")} Ingress ${namespace}/${name} ${source.field}: ${message}`);
    }
  }
  return lines.length === 0 ? "no Ingress" : lines.join("\n");
}

function httpListener({ routeTable }: Processed): Listener {
  return routeTable.listeners.find(({ protocol }) => protocol === "HTTP") as Listener;
}

function pathText({ match: { path } }: Route): string {
  return path.kind === "default" ? "default backend" : `${path.kind === "exact" ? "Exact " : "Prefix"} ${path.value}`;
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
  const explanation = explainRoute(httpListener(reading), {
    host: requestHost(target.host),
    path: target.path,
    method,
    header: () => undefined,
    query: (name) => target.query.get(name) ?? undefined,
  });
  if (flags.output === "json") terminal.print(JSON.stringify(explanation, null, 2));
  else {
    const { paint } = terminal;
    for (const { host, route, rejected } of explanation.candidates) {
      const rule = `${host === "*" ? "any host" : host} ${pathText(route)}`;
      if (rejected === undefined)
        terminal.print(`${paint.green("✓")} ${rule}: ${route.backends.map((ref) => backendText(ref, reading)).join(", ")}  (${route.id})`);
      else terminal.print(paint.dim(`  ${rule}: ${rejected.detail}  (${route.id})`));
    }
    if (explanation.chosen === undefined) terminal.print(`${paint.red("✗")} no rule takes ${method} ${url}: 404`);
  }
  return explanation.chosen === undefined ? 1 : 0;
}

function parseUrl(text: string): { readonly host: string; readonly path: string; readonly query: URLSearchParams } {
  // Not by `URL`, which would tidy the path before the gateway's own rules see it.
  const [, host, rest = "/"] = /^https?:\/\/([^/?#]+)([^#]*)/i.exec(text) ?? [];
  if (host === undefined) throw new FairleadError("FL_USAGE", `${text} is no URL`, { hint: "Such as http://shop.localhost/cart" });
  const [raw = "/", query = ""] = rest.split(/\?(.*)/s);
  const path = normalizePath(raw === "" ? "/" : raw);
  if (path.kind === "bad") throw new FairleadError("FL_USAGE", `${text}: ${path.why}: the gateway answers 400`);
  return { host, path: path.path, query: new URLSearchParams(query) };
}
