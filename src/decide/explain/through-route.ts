/** An HTTP request at the way in: which rule takes it, why no other does, and what is behind. */
import { explain as explainRoutes, type Candidate as RouteCandidate } from "../routes/explain.ts";
import { hostMatches, requestHost, suffixMatches } from "../routes/host.ts";
import type { RouteRequest } from "../routes/match.ts";
import { normalizePath } from "../routes/path.ts";
import type { Route } from "../routes/route-table.ts";
import type { RouteProblem } from "../routes/reasons.ts";
import type { Candidate } from "./explanation.ts";
import { nearest } from "./nearest.ts";
import { refOfRoute, routeWorldOf, type RouteWorld, type Unserved } from "./route-world.ts";
import type { ObjectRef } from "./snapshot.ts";
import { listed, step, type Outcome, type Proposal, type Walk } from "./walk.ts";
import { behind } from "./behind-route.ts";

export interface HttpRequest {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** With its query. */
  readonly rawPath: string;
}

/** Whether any rule has to do with the host; those for every host count only for who comes from outside. */
export function isRouted(walk: Walk, host: string): boolean {
  const { hosts, outside } = routeWorldOf(walk.world);
  const all = [...hosts, ...outside.flatMap((each) => each.hosts)];
  const takes = (pattern: string) =>
    pattern === "*" ? walk.client.kind === "outside" : hostMatches(pattern, host) || suffixMatches(pattern, host);
  return all.some(takes) || (all.length > 0 && walk.client.kind === "outside") || nearest(host, all).length > 0;
}

/** `only`: the object that the question is about; a rule of another one then outranks it. */
export function throughRoute(walk: Walk, request: HttpRequest, only?: ObjectRef): Outcome {
  const routes = routeWorldOf(walk.world);
  const [rawPath = "/", query = ""] = request.rawPath.split(/\?(.*)/s);
  const path = normalizePath(rawPath === "" ? "/" : rawPath);
  if (path.kind === "bad") return { code: "NoRouteForPath", text: `${rawPath}: ${path.why}: gateways answer 400` };
  const parameters = new URLSearchParams(query);
  const asked: RouteRequest = {
    host: requestHost(request.host),
    path: path.path,
    method: walk.question.method ?? "GET",
    header: (name) => walk.question.headers?.[name],
    query: (name) => parameters.get(name) ?? undefined,
  };
  const judged = listenersFor(routes, request).map(({ listener, name }) => ({ name, ...explainRoutes(listener, asked) }));
  const taken = judged.find(({ chosen }) => chosen !== undefined);
  const candidates = judged.flatMap((each) => each.candidates);
  if (taken?.chosen === undefined) return notTaken(walk, routes, asked, candidates);
  const { route, host } = taken.chosen;
  const ref = refOfRoute(route);
  const mine = only === undefined || (ref.kind === only.kind && ref.namespace === only.namespace && ref.name === only.name);
  const text = `${asked.method} ${asked.host}${asked.path} is taken by ${route.id} (host ${host}) of ${taken.name}`;
  step(walk, {
    kind: "route",
    ok: mine,
    ref,
    text,
    candidates: candidates
      .map(candidateOf)
      .toSorted((a, b) => Number(b.kept) - Number(a.kept))
      .slice(0, mostCandidates),
  });
  if (!mine) return outranked(walk, only, route, candidates);
  return behind(walk, route);
}

/** Nobody reads thousands, and the order is that of precedence. */
const mostCandidates = 50;

function listenersFor({ listeners }: RouteWorld, { scheme, port }: HttpRequest) {
  const fits = listeners.filter(
    ({ listener, port: own }) => own === undefined || listener.protocol === (scheme === "https" ? "HTTPS" : "HTTP"),
  );
  const exact = fits.filter(({ port: own }) => own === port);
  // A Gateway's port may be found under another one of a Service in front of it.
  return [...exact, ...fits.filter((each) => !exact.includes(each))];
}

function candidateOf({ host, route, rejected }: RouteCandidate): Candidate {
  const name = `${route.id} (${host === "*" ? "any host" : host})`;
  const ref = refOfRoute(route);
  return rejected === undefined
    ? { kept: true, name, reason: "Chosen", detail: "", ref }
    : { kept: false, name, reason: rejected.reason, detail: rejected.detail, ref };
}

function outranked({ world }: Walk, only: ObjectRef, winner: Route, candidates: readonly RouteCandidate[]): Outcome {
  const loser = candidates.find(({ route }) => route.source.name === only.name && route.source.namespace === only.namespace);
  const problem = routeWorldOf(world).problems.find(({ source, reason }) => reason === "PathConflict" && source.name === only.name);
  const why =
    problem?.message ??
    `${loser?.route.id ?? `${only.kind} ${only.namespace}/${only.name}`} would take it as well, and ${winner.id} goes first`;
  return {
    code: "RouteOutranked",
    text: why,
    proposals: [
      { text: `Take the path out of ${winner.source.kind} ${winner.source.namespace}/${winner.source.name}, or use another host or path` },
    ],
  };
}

function notTaken(walk: Walk, routes: RouteWorld, asked: RouteRequest, candidates: readonly RouteCandidate[]): Outcome {
  const unserved = ofUnserved(routes, asked);
  const outcome = unserved?.outcome ?? ofProblem(routes, candidates, asked) ?? ofCandidates(routes, asked, candidates, walk);
  const shown = candidates.map(candidateOf).slice(0, mostCandidates);
  step(walk, { kind: "route", ok: false, text: outcome.text, candidates: shown, ...(unserved === undefined ? {} : { ref: unserved.ref }) });
  return outcome;
}

function ofUnserved({ outside }: RouteWorld, { host }: RouteRequest): { readonly outcome: Outcome; readonly ref: ObjectRef } | undefined {
  const found = outside.find(({ hosts }) => hosts.some((pattern) => hostMatches(pattern, host) || suffixMatches(pattern, host)));
  return found === undefined ? undefined : { outcome: unservedOutcome(found), ref: found.ref };
}

export function unservedOutcome({ ref, code, message, mend }: Unserved): Outcome {
  const id = `${ref.kind} ${ref.namespace}/${ref.name}`;
  return { code, text: `${id} is served by nobody: ${message}`, proposals: mend };
}

/** A part of an object for this host that could not be used. */
function ofProblem({ problems }: RouteWorld, candidates: readonly RouteCandidate[], { host }: RouteRequest): Outcome | undefined {
  const found = problems.find(
    ({ severity, reason, source, message }) =>
      severity === "error" &&
      reason !== "PathConflict" &&
      (message.includes(host) || candidates.some(({ route, host: own }) => own === host && route.source.name === source.name)),
  );
  return found === undefined ? undefined : problemOutcome(found);
}

export function problemOutcome({ source, message }: RouteProblem): Outcome {
  return { code: "RouteInvalid", text: `${source.kind} ${source.namespace}/${source.name} ${source.field}: ${message}` };
}

function ofCandidates({ hosts }: RouteWorld, asked: RouteRequest, candidates: readonly RouteCandidate[], { question }: Walk): Outcome {
  const by = (...reasons: readonly string[]) => candidates.filter(({ rejected }) => reasons.includes(rejected?.reason ?? ""));
  const conditions = by("MethodMismatch", "HeaderMismatch", "QueryMismatch");
  const [condition] = conditions;
  if (condition !== undefined) {
    const { method } = condition.route.match;
    const text = `no rule takes ${asked.method} ${asked.host}${asked.path}: ${condition.route.id}: ${condition.rejected?.detail}`;
    const proposals =
      condition.rejected?.reason === "MethodMismatch" && method !== undefined
        ? [{ text: `Ask with method ${method}`, ask: { method } }]
        : [];
    return { code: "NoRouteForRequest", text, proposals };
  }
  const paths = by("PathMismatch");
  if (paths.length > 0) return noPath(asked, paths, question.target);
  const near = nearest(asked.host, hosts);
  const text = `no rule is for host ${asked.host}: there are rules for ${listed(hosts)}`;
  return {
    code: "NoRouteForHost",
    text,
    proposals: near.map((host) => ({ text: `Ask for host ${host}`, ask: { target: question.target.replace(asked.host, host) } })),
  };
}

function noPath(asked: RouteRequest, paths: readonly RouteCandidate[], target: string): Outcome {
  const texts = paths.map(({ route }) =>
    route.match.path.kind === "default" ? "any" : `${route.match.path.kind} ${route.match.path.value}`,
  );
  const text = `no rule of host ${asked.host} takes the path ${asked.path}: it has ${listed([...new Set(texts)])}`;
  const exact = paths.flatMap(({ route }): readonly Proposal[] => {
    const { path } = route.match;
    if (path.kind !== "exact" || !`${asked.path}/`.startsWith(path.value.endsWith("/") ? path.value : `${path.value}/`)) return [];
    const edit = { ref: refOfRoute(route), field: `${route.source.field}.pathType`, from: "Exact", to: "Prefix" };
    return [{ text: `Set pathType of ${route.id} to Prefix`, ...(route.source.kind === "Ingress" ? { edit } : {}) }];
  });
  const near = nearest(
    asked.path,
    paths.flatMap(({ route: { match } }) => (match.path.kind === "default" ? [] : [match.path.value])),
  );
  return {
    code: "NoRouteForPath",
    text,
    proposals: [...exact, ...near.map((path) => ({ text: `Ask for ${path}`, ask: { target: target.replace(asked.path, path) } }))],
  };
}
