/**
 * Why a request goes where it goes: every route that could have taken it, in order, with what spoke against it. Reads the
 * table itself, not the index that `match` uses, so that each can be checked against the other.
 */
import { compareHosts, hostMatches, suffixMatches } from "./host.ts";
import { conditionsHold, pathPattern, sectionOf, valueHolds, type RouteRequest } from "./match.ts";
import { hasPrefix } from "./path.ts";
import type { Listener, PathMatch, Route, ValueMatch, VirtualHost } from "./route-table.ts";

export type RejectionReason =
  | "HostMismatch"
  /** The host belongs to another listener of the Gateway, which is more specific. */
  | "OtherListener"
  | "PathMismatch"
  | "MethodMismatch"
  | "HeaderMismatch"
  | "QueryMismatch"
  /** It would take the request, but a route that goes first does so already. */
  | "Outranked";

export interface Candidate {
  readonly host: string;
  readonly route: Route;
  /** Absent: it is the one. */
  readonly rejected?: { readonly reason: RejectionReason; readonly detail: string };
}

export interface RouteExplanation {
  /** Absent: 404. */
  readonly chosen: Candidate | undefined;
  /** Every route of the listener, the most specific host first, each with its verdict. */
  readonly candidates: readonly Candidate[];
}

export function explain(listener: Listener, request: RouteRequest): RouteExplanation {
  const judged =
    listener.sections === undefined ? judgeHosts(listener.virtualHosts, request, hostMatches) : judgeSections(listener, request);
  const winner = judged.find(({ against }) => against === undefined);
  const candidates = judged.map(({ host, route, against }): Candidate => {
    if (route === winner?.route) return { host, route };
    return { host, route, rejected: against ?? { reason: "Outranked", detail: `${winner?.route.id} goes first` } };
  });
  return { chosen: candidates.find(({ rejected }) => rejected === undefined), candidates };
}

interface Judged {
  readonly host: string;
  readonly route: Route;
  readonly against: Rejection | undefined;
}

type TakesHost = (pattern: string, host: string) => boolean;

function judgeHosts(virtualHosts: readonly VirtualHost[], request: RouteRequest, takes: TakesHost): readonly Judged[] {
  const hosts = virtualHosts.toSorted((a, b) => compareHosts(a.host, b.host));
  return [...pass(hosts, false), ...pass(hosts, true)].map(({ host, route }) => ({
    host,
    route,
    against: fault(host, route, request, takes),
  }));
}

function judgeSections(listener: Listener, request: RouteRequest): readonly Judged[] {
  const own = sectionOf(listener, request.host);
  return (listener.sections ?? [])
    .toSorted((a, b) => Number(b === own) - Number(a === own))
    .flatMap((section) => {
      const judged = judgeHosts(section.virtualHosts, request, suffixMatches);
      if (section === own) return judged;
      const detail =
        own === undefined ? `${request.host} is not for listener ${section.name}` : `${request.host} belongs to listener ${own.name}`;
      return judged.map((each) => ({ ...each, against: { reason: "OtherListener" as const, detail } }));
    });
}

function pass(hosts: readonly VirtualHost[], defaults: boolean): readonly { host: string; route: Route }[] {
  return hosts.flatMap(({ host, routes }) =>
    routes.filter(({ match }) => (match.path.kind === "default") === defaults).map((route) => ({ host, route })),
  );
}

type Rejection = NonNullable<Candidate["rejected"]>;

function fault(host: string, route: Route, request: RouteRequest, takesHost: TakesHost): Rejection | undefined {
  if (!takesHost(host, request.host)) return { reason: "HostMismatch", detail: `${request.host} is not ${host}` };
  const { path, method, headers = [], query = [] } = route.match;
  if (!takesPath(path, request.path)) return { reason: "PathMismatch", detail: `${request.path} is not ${pathText(path)}` };
  if (conditionsHold(route, request)) return undefined;
  if (method !== undefined && method !== request.method) return { reason: "MethodMismatch", detail: `${request.method} is not ${method}` };
  const header = differing(headers, request.header);
  if (header !== undefined) return { reason: "HeaderMismatch", detail: valueText("header", header, request.header(header.name)) };
  const parameter = differing(query, request.query) as ValueMatch;
  return { reason: "QueryMismatch", detail: valueText("parameter", parameter, request.query(parameter.name)) };
}

function takesPath(match: PathMatch, path: string): boolean {
  switch (match.kind) {
    case "exact":
      return match.value === path;
    case "regex":
      return pathPattern(match)?.test(path) === true;
    case "prefix":
      return hasPrefix(path, match.value);
    case "default":
      return true;
  }
}

function pathText(match: PathMatch): string {
  switch (match.kind) {
    case "default":
      return "any path";
    case "exact":
      return `exactly ${match.value}`;
    case "regex":
      return `of the pattern ${match.value}`;
    case "prefix":
      return `${match.value} or below it`;
  }
}

function differing(wanted: readonly ValueMatch[], actual: (name: string) => string | undefined): ValueMatch | undefined {
  return wanted.find((each) => !valueHolds(each, actual(each.name)));
}

function valueText(what: string, { name, value, regex }: ValueMatch, actual: string | undefined): string {
  const is = actual === undefined ? "is not there" : `is ${JSON.stringify(actual)}`;
  return `${what} ${name} ${is}, ${regex === undefined ? "" : "the pattern "}${JSON.stringify(value)} is wanted`;
}
