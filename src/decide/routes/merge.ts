/** Routes of several objects on one host: their order, and who gives way where two want the same. */
import { withCanaries } from "./canary.ts";
import type { HostRoute } from "./ingress.ts";
import type { RouteProblem } from "./reasons.ts";
import type { CertificateRef, PathMatch, Route, RouteMatch, VirtualHost } from "./route-table.ts";

export interface MergedHost {
  readonly virtualHost: VirtualHost;
  readonly problems: readonly RouteProblem[];
}

export function mergeHost(host: string, routes: readonly HostRoute[]): MergedHost {
  const kept = new Map<string, Route>();
  const merged = withCanaries(routes.some(({ pattern }) => pattern) ? routes.map(asPattern) : routes);
  const problems: RouteProblem[] = merged.orphans.map(({ source }) => ({
    severity: "error",
    reason: "CanaryAlone",
    source,
    message: `no other Ingress has this path on host ${host}: a canary has nothing to be a part of`,
  }));
  for (const { route, secondary } of merged.routes.toSorted(compareHostRoutes)) {
    const key = matchKey(route.match);
    const winner = kept.get(key);
    if (winner === undefined) kept.set(key, route);
    else if (!secondary) problems.push(conflict(host, route, winner));
  }
  return { virtualHost: { host, routes: [...kept.values()] }, problems };
}

/** One Ingress of a host with patterns makes patterns of all its paths (ingress-nginx `use-regex`). */
function asPattern(each: HostRoute): HostRoute {
  const { path } = each.route.match;
  // What a redirect of ours is for stays what it is.
  if (each.pattern || path.kind === "default" || path.kind === "regex" || each.route.backends.length === 0) return each;
  return { ...each, route: { ...each.route, match: { ...each.route.match, path: { kind: "regex", value: path.value, leading: true } } } };
}

function conflict(host: string, { source, match }: Route, winner: Route): RouteProblem {
  const what = match.path.kind === "default" ? "the default backend" : `${match.path.kind} path ${match.path.value}`;
  return { severity: "error", reason: "PathConflict", source, message: `${what} of host ${host} belongs to ${winner.id} already` };
}

/** Equal for matches that take the same requests. */
function matchKey({ path, method = "", headers = [], query = [] }: RouteMatch): string {
  return JSON.stringify([path, method, headers, query]);
}

/**
 * The order in which routes win: Exact, then patterns, then the longest path (Ingress v1 "multiple matches"), then method, more headers, more
 * query parameters (Gateway API HTTPRouteRule `matches`), then the older object, then by name, then as written.
 */
export function compareHostRoutes(a: HostRoute, b: HostRoute): number {
  return (
    comparePaths(a.route.match.path, b.route.match.path) ||
    specificity(a.route.match, b.route.match) ||
    Number(a.secondary) - Number(b.secondary) ||
    compareText(a.created, b.created) ||
    compareText(objectOf(a.route), objectOf(b.route)) ||
    fieldOrder(a.route.source.field, b.route.source.field)
  );
}

const pathRank: Readonly<Record<PathMatch["kind"], number>> = { exact: 0, regex: 1, prefix: 2, default: 3 };

function comparePaths(a: PathMatch, b: PathMatch): number {
  const [left, right] = [a.kind === "default" ? "" : a.value, b.kind === "default" ? "" : b.value];
  return pathRank[a.kind] - pathRank[b.kind] || right.length - left.length || compareText(left, right);
}

function specificity(a: RouteMatch, b: RouteMatch): number {
  return (
    Number(a.method === undefined) - Number(b.method === undefined) ||
    (b.headers?.length ?? 0) - (a.headers?.length ?? 0) ||
    (b.query?.length ?? 0) - (a.query?.length ?? 0)
  );
}

function objectOf({ source }: Route): string {
  return `${source.namespace}/${source.name}`;
}

/** `rules[2]` before `rules[10]`. */
function fieldOrder(a: string, b: string): number {
  const pad = (text: string) => text.replace(/\d+/g, (digits) => digits.padStart(6, "0"));
  return compareText(pad(a), pad(b));
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export interface DatedCertificate {
  readonly ref: CertificateRef;
  readonly created: string;
}

/** One certificate a host: the oldest object's, where one that names a Secret goes before one that names none. */
export function mergeCertificates(all: readonly DatedCertificate[]): {
  readonly certificates: readonly CertificateRef[];
  readonly problems: readonly RouteProblem[];
} {
  const kept = new Map<string, CertificateRef>();
  const problems: RouteProblem[] = [];
  for (const { ref } of all.toSorted(compareCertificates)) {
    const winner = kept.get(ref.host);
    if (winner === undefined) kept.set(ref.host, ref);
    else if (ref.certificate.kind === "secret" && !sameCertificate(ref, winner)) problems.push(certificateConflict(ref, winner));
  }
  return { certificates: [...kept.values()], problems };
}

function compareCertificates(a: DatedCertificate, b: DatedCertificate): number {
  const unspecified = ({ ref }: DatedCertificate) => Number(ref.certificate.kind === "unspecified");
  const name = ({ ref: { source } }: DatedCertificate) => `${source.namespace}/${source.name} ${source.field}`;
  return unspecified(a) - unspecified(b) || compareText(a.created, b.created) || compareText(name(a), name(b));
}

function sameCertificate(a: CertificateRef, b: CertificateRef): boolean {
  return JSON.stringify(a.certificate) === JSON.stringify(b.certificate);
}

function certificateConflict({ host, source }: CertificateRef, { source: winner }: CertificateRef): RouteProblem {
  const message = `the certificate of host ${host} comes from Ingress ${winner.namespace}/${winner.name}, which is older`;
  return { severity: "warning", reason: "CertificateConflict", source, message };
}
