/**
 * Canary Ingresses (ingress-nginx `annotations.md`, "Canary"): one more backend for the rules of another Ingress with the same host and
 * path, for requests with a header or a cookie, and for a share of the others. In that order: header, cookie, weight.
 */
import type { AnnotationDraft, CanaryRule, ReadResult } from "./annotation-draft.ts";
import type { HostRoute } from "./ingress.ts";
import { wholePattern } from "./pattern.ts";
import type { Route, ValueMatch } from "./route-table.ts";

export function readCanary(value: string, draft: AnnotationDraft): ReadResult {
  if (value !== "true") return value === "false" ? undefined : { refused: "neither true nor false" };
  const of = (name: string) => draft.all.get(`canary-${name}`);
  const [weight, total] = [Number(of("weight") ?? 0), Number(of("weight-total") ?? 100)];
  if (!Number.isInteger(weight) || !Number.isInteger(total) || weight < 0 || total < 1 || weight > total)
    return { refused: "no weight that can be" };
  const [name, headerValue, pattern, cookie] = [
    of("by-header")?.toLowerCase(),
    of("by-header-value"),
    of("by-header-pattern"),
    of("by-cookie"),
  ];
  if (pattern !== undefined && wholePattern(pattern).kind === "bad") return { refused: "a header's pattern that cannot be run" };
  const more = { ...(headerValue === undefined ? {} : { value: headerValue }), ...(pattern === undefined ? {} : { pattern }) };
  draft.canary = {
    weight,
    total,
    ...(name === undefined ? {} : { header: { name, ...more } }),
    ...(cookie === undefined ? {} : { cookie }),
  };
  return undefined;
}

/** The routes of a host with canaries worked into those that they belong to; a canary without one is left out. */
export function withCanaries(routes: readonly HostRoute[]): { readonly routes: readonly HostRoute[]; readonly orphans: readonly Route[] } {
  const canaries = routes.filter(({ canary }) => canary !== undefined);
  if (canaries.length === 0) return { routes, orphans: [] };
  const byPath = new Map(canaries.map((each) => [pathKey(each), each]));
  const used = new Set<HostRoute>();
  const plain = routes.filter(({ canary }) => canary === undefined);
  const merged = plain.flatMap((main) => {
    const canary = byPath.get(pathKey(main));
    if (canary === undefined) return [main];
    used.add(canary);
    return split(main, canary);
  });
  return { routes: merged, orphans: canaries.filter((each) => !used.has(each)).map(({ route }) => route) };
}

function pathKey({ route }: HostRoute): string {
  return JSON.stringify(route.match.path);
}

/** More headers go first: each rule of the canary is a route of its own before the main one. */
function split(main: HostRoute, canary: HostRoute): readonly HostRoute[] {
  const { weight, total, header, cookie } = canary.canary as CanaryRule;
  const to = (route: Route, suffix: string, headers: readonly ValueMatch[]): HostRoute => ({
    ...main,
    route: { ...main.route, id: `${main.route.id} ${suffix}`, backends: route.backends, match: { ...main.route.match, headers } },
  });
  const routes: HostRoute[] = [];
  if (header !== undefined) {
    const { name, value, pattern } = header;
    // The same header twice counts as two conditions: before the cookie's one.
    const when = (text: string, regex?: true): readonly ValueMatch[] => [
      { name, value: text, ...(regex === undefined ? {} : { regex }) },
      { name, value: text, ...(regex === undefined ? {} : { regex }) },
    ];
    if (value !== undefined) routes.push(to(canary.route, "(canary by header)", when(value)));
    else if (pattern !== undefined) routes.push(to(canary.route, "(canary by header)", when(pattern, true)));
    else routes.push(to(canary.route, "(canary by header)", when("always")), to(main.route, "(not the canary by header)", when("never")));
  }
  if (cookie !== undefined) {
    const says = (text: string): readonly ValueMatch[] => [
      { name: "cookie", value: `(?:.*; ?)?${escaped(cookie)}=${text}(?:;.*)?`, regex: true },
    ];
    routes.push(to(canary.route, "(canary by cookie)", says("always")), to(main.route, "(not the canary by cookie)", says("never")));
  }
  const share = (all: Route, weightOf: number) => all.backends.map((ref) => ({ ...ref, weight: weightOf }));
  const backends = [...share(main.route, total - weight), ...share(canary.route, weight)].filter((ref) => ref.weight > 0);
  return [...routes, { ...main, route: { ...main.route, backends } }];
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
