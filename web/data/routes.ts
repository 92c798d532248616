/** The route table of the cluster, and what it does with a request. Pure. */
import { routeWorldOf, type Unserved } from "../../src/decide/explain/route-world.ts";
import type { Snapshot } from "../../src/decide/explain/snapshot.ts";
import { worldOf } from "../../src/decide/explain/world.ts";
import { explain, normalizePath, portText, requestHost, type Candidate, type Listener, type Route } from "../../src/decide/routes/index.ts";
import type { PathMatch } from "../../src/decide/routes/route-table.ts";

export interface RouteRow {
  readonly listener: string;
  readonly host: string;
  readonly route: Route;
  /** `Prefix /cart` */
  readonly path: string;
  /** Method, headers, parameters; empty: any. */
  readonly conditions: readonly string[];
  /** `shop/web:http`; with its weight where there are several. */
  readonly backends: readonly { readonly key: string; readonly text: string }[];
  readonly filters: readonly string[];
  readonly words: string;
}

export function routeRows(snapshot: Snapshot): readonly RouteRow[] {
  return routeWorldOf(worldOf(snapshot)).listeners.flatMap(({ name, port, listener }) =>
    hostsOf(listener).flatMap(({ host, routes }) =>
      routes.map((route) => routeRow(port === undefined ? name : `${name}, port ${port}`, host, route)),
    ),
  );
}

export function unserved(snapshot: Snapshot): readonly Unserved[] {
  return routeWorldOf(worldOf(snapshot)).outside;
}

function hostsOf({ sections, virtualHosts }: Listener) {
  return sections === undefined ? virtualHosts : sections.flatMap((section) => section.virtualHosts);
}

function routeRow(listener: string, host: string, route: Route): RouteRow {
  const { match, backends, filters } = route;
  const path = pathText(match.path);
  const weights = backends.length > 1;
  const behind = backends.map(({ namespace, name, port, weight }) => ({
    key: `${namespace}/${name}`,
    text: `${namespace}/${name}:${portText(port)}${weights ? ` (${weight})` : ""}`,
  }));
  return {
    listener,
    host,
    route,
    path,
    conditions: [
      ...(match.method === undefined ? [] : [match.method]),
      ...(match.headers ?? []).map(({ name, value }) => `${name}: ${value}`),
      ...(match.query ?? []).map(({ name, value }) => `?${name}=${value}`),
    ],
    backends: behind,
    filters: [...new Set(filters.map(({ kind }) => kind))],
    words: `${listener} ${host} ${path} ${route.id} ${behind.map(({ text }) => text).join(" ")}`.toLowerCase(),
  };
}

export function pathText(path: PathMatch): string {
  switch (path.kind) {
    case "default":
      return "any path (default backend)";
    case "exact":
      return `Exact ${path.value}`;
    case "prefix":
      return `Prefix ${path.value}`;
    case "regex":
      return `Pattern ${path.value}`;
  }
}

export interface Asked {
  readonly host: string;
  /** With its query. */
  readonly path: string;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export type Predicted =
  | { readonly kind: "routes"; readonly chosen: Candidate | undefined; readonly candidates: readonly Candidate[] }
  | { readonly kind: "bad"; readonly why: string };

/** In the listeners one after the other; the first that takes it decides. */
export function predict(snapshot: Snapshot, { host, path, method, headers }: Asked): Predicted {
  const [raw = "/", query = ""] = path.split(/\?(.*)/s);
  const normal = normalizePath(raw === "" ? "/" : raw);
  if (normal.kind === "bad") return { kind: "bad", why: normal.why };
  const parameters = new URLSearchParams(query);
  const request = {
    host: requestHost(host),
    path: normal.path,
    method,
    header: (name: string) => headers[name],
    query: (name: string) => parameters.get(name) ?? undefined,
  };
  const all = routeWorldOf(worldOf(snapshot)).listeners.map(({ listener }) => explain(listener, request));
  const chosen = all.find((each) => each.chosen !== undefined);
  const candidates = chosen === undefined ? all.flatMap((each) => each.candidates) : chosen.candidates;
  return { kind: "routes", chosen: chosen?.chosen, candidates };
}
