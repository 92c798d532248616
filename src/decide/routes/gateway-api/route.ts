/** One route of any kind: where it belongs, what it says, and what its status says. */
import type { HostRoute } from "../ingress.ts";
import { backendsOf, type BackendRef, type StreamRoute } from "../route-table.ts";
import { attach, type Attachment, type Parents, type ParentVerdict } from "./attach.ts";
import { backendRef, type RefContext } from "./backend-refs.ts";
import { condition } from "./conditions.ts";
import { keyOf } from "./gateway.ts";
import { compileGrpcRoute, compileHttpRoute, type CompiledRules } from "./http-route.ts";
import type { AnyRoute, Condition, TcpRoute, TlsRoute, UdpRoute } from "./objects.ts";
import type { GatewayWorld } from "./world.ts";

export interface RoutePlan {
  readonly route: AnyRoute;
  /** `HTTPRoute shop/web`: unique among all kinds. */
  readonly key: string;
  readonly parents: readonly PlannedParent[];
  readonly attachments: readonly RouteAttachment[];
  /** Every backend that is named, mirrors among them. */
  readonly backends: readonly BackendRef[];
  /** `namespace/name` of every Service that is named. */
  readonly services: ReadonlySet<string>;
}

export interface PlannedParent extends ParentVerdict {
  readonly conditions: readonly Condition[];
}

export interface RouteAttachment extends Attachment {
  /** Of HTTP listeners. */
  readonly routes: readonly HostRoute[];
  /** Of the others. */
  readonly streams: readonly StreamRoute[];
}

export function planRoute(route: AnyRoute, parents: Parents, world: GatewayWorld): RoutePlan {
  const key = `${route.kind} ${keyOf(route)}`;
  const verdicts = attach(route, parents);
  if (verdicts.length === 0) return { route, key, parents: [], attachments: [], backends: [], services: new Set() };
  const context: RefContext = { kind: route.kind, namespace: route.metadata.namespace ?? "", world, problems: [], services: new Set() };
  const compiled = compile(route, context);
  const attachments = verdicts
    .flatMap(({ attachments: each }) => each)
    .map((each): RouteAttachment => ({ ...each, ...placed(route, each, compiled) }));
  return {
    route,
    key,
    parents: verdicts.map((verdict) => withConditions(verdict, compiled, context.problems)),
    attachments,
    backends: compiled.backends,
    services: context.services,
  };
}

interface Compiled extends CompiledRules {
  readonly rules: number;
  /** Of a route below HTTP: the one rule that it may have. */
  readonly streamBackends: readonly BackendRef[];
  readonly backends: readonly BackendRef[];
}

function compile(route: AnyRoute, context: RefContext): Compiled {
  switch (route.kind) {
    case "HTTPRoute":
      return withBackends(compileHttpRoute(route, context), route.spec.rules?.length ?? 1);
    case "GRPCRoute":
      return withBackends(compileGrpcRoute(route, context), route.spec.rules?.length ?? 1);
    case "TLSRoute":
    case "TCPRoute":
    case "UDPRoute":
      return compileStreamRoute(route, context);
  }
}

function withBackends(rules: CompiledRules, count: number): Compiled {
  return { ...rules, rules: count, streamBackends: [], backends: rules.routes.flatMap(backendsOf) };
}

/** "If multiple rules are given, the first is taken" is nowhere said: the schema allows one. */
function compileStreamRoute({ spec }: TlsRoute | TcpRoute | UdpRoute, context: RefContext): Compiled {
  const refs = (spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs);
  const streamBackends = refs.map((ref) => backendRef(ref, context)).filter(({ weight }) => weight > 0);
  return { routes: [], unsupported: [], refusedRules: 0, rules: 1, streamBackends, backends: streamBackends };
}

function placed(route: AnyRoute, { hosts }: Attachment, { routes, streamBackends }: Compiled): Pick<RouteAttachment, "routes" | "streams"> {
  const created = route.metadata.creationTimestamp ?? "";
  if (route.kind === "HTTPRoute" || route.kind === "GRPCRoute") {
    return {
      routes: hosts.flatMap((host) => routes.map((each): HostRoute => ({ host, route: each, created, secondary: false }))),
      streams: [],
    };
  }
  const { namespace = "", name = "" } = route.metadata;
  const source = { kind: route.kind, namespace, name, field: "spec.rules[0]" } as const;
  return {
    routes: [],
    streams: hosts.map((host) => ({ id: `${route.kind} ${namespace}/${name}`, source, host, backends: streamBackends })),
  };
}

function withConditions(
  verdict: ParentVerdict,
  { unsupported, refusedRules, rules }: Compiled,
  problems: readonly Condition[],
): PlannedParent {
  const nothing = rules > 0 && refusedRules === rules;
  const accepted =
    verdict.accepted.status === "True" && nothing
      ? condition("Accepted", false, "UnsupportedValue", unsupported.join("; "))
      : verdict.accepted;
  const partly = accepted.status === "True" && unsupported.length > 0;
  return {
    ...verdict,
    accepted,
    conditions: [
      accepted,
      problems[0] ?? condition("ResolvedRefs", true, "ResolvedRefs"),
      ...(partly ? [condition("PartiallyInvalid", true, "UnsupportedValue", unsupported.join("; "))] : []),
    ],
  };
}
