/**
 * Every Ingress and Gateway API route of a Snapshot as listeners of a route table, whoever serves them: the matching rules are those of the
 * APIs. What no controller takes, or no Gateway, is listed with the reason.
 */
import type { Ingress } from "../../api/types.ts";
import {
  gatewayPorts,
  httpListener,
  keyOf,
  planGateway,
  planRoute,
  sectionHost,
  type AnyRoute,
  type GatewayPlan,
  type GatewayWorld,
  type Parents,
  type RoutePlan,
} from "../routes/gateway-api/index.ts";
import { classVerdict, ingressController, legacyClassAnnotation, standInClasses, type ClassVerdict } from "../routes/ingress-class.ts";
import { translateIngress, type HostRoute } from "../routes/ingress.ts";
import { mergeHost } from "../routes/merge.ts";
import type { RouteProblem } from "../routes/reasons.ts";
import type { Listener, Route } from "../routes/route-table.ts";
import { nearest } from "./nearest.ts";
import { refOf, type ObjectRef, type Snapshot } from "./snapshot.ts";
import type { Proposal } from "./walk.ts";
import type { World } from "./world.ts";

export interface RouteWorld {
  /** In which requests find their route; `port` undefined: Ingress, which knows 80 and 443. */
  readonly listeners: readonly { readonly listener: Listener; readonly port: number | undefined; readonly name: string }[];
  readonly outside: readonly Unserved[];
  readonly problems: readonly RouteProblem[];
  /** Hosts of all rules; `*` where one has none. */
  readonly hosts: readonly string[];
}

/** An object that no listener has. */
export interface Unserved {
  readonly ref: ObjectRef;
  readonly hosts: readonly string[];
  readonly code: "RouteNotServed" | "RouteNotAttached";
  readonly message: string;
  readonly mend: readonly Proposal[];
}

export const refOfRoute = ({ source: { kind, namespace, name } }: Route): ObjectRef => ({ kind, namespace, name });

const known = new WeakMap<Snapshot, RouteWorld>();

export function routeWorldOf(world: World): RouteWorld {
  const { snapshot } = world;
  const made = known.get(snapshot) ?? make(world);
  known.set(snapshot, made);
  return made;
}

function make(world: World): RouteWorld {
  const ingress = ingressWorld(world.snapshot);
  const gateway = gatewayWorld(world);
  return {
    listeners: [...ingress.listeners, ...gateway.listeners],
    outside: [...ingress.outside, ...gateway.outside],
    problems: ingress.problems,
    hosts: [...new Set([...ingress.hosts, ...gateway.hosts])],
  };
}

function ingressWorld(snapshot: Snapshot): RouteWorld {
  const judged = snapshot.ingresses.map((ingress) => ({ ingress, verdict: verdictOf(ingress, snapshot) }));
  const served = judged.filter(({ verdict }) => verdict.kind === "ours").map(({ ingress }) => translateIngress(ingress));
  const byHost = Map.groupBy(
    served.flatMap(({ routes }) => routes),
    ({ host }) => host,
  );
  const merged = [...byHost].map(([host, routes]) => mergeHost(host, routes));
  const virtualHosts = merged.map(({ virtualHost }) => virtualHost);
  const listener: Listener = { name: "ingress", protocol: "HTTP", virtualHosts, certificates: [] };
  return {
    listeners: snapshot.ingresses.length === 0 ? [] : [{ listener, port: undefined, name: "Ingress" }],
    outside: judged.flatMap(({ ingress, verdict }): readonly Unserved[] =>
      verdict.kind === "ours" ? [] : [unservedIngress(ingress, verdict.message, snapshot)],
    ),
    problems: [...served.flatMap(({ problems }) => problems), ...merged.flatMap(({ problems }) => problems)],
    hosts: [...byHost.keys()],
  };
}

/** The class that was meant, or any there is. */
function unservedIngress(ingress: Ingress, message: string, { ingressClasses }: Snapshot): Unserved {
  const ref = refOf("Ingress", ingress);
  const from = ingress.spec?.ingressClassName;
  const names = ingressClasses.map(({ metadata }) => metadata.name ?? "");
  const near = from === undefined ? names : nearest(from, names);
  const mend = near.slice(0, 3).map((to) => ({
    text: `Set spec.ingressClassName of Ingress ${ref.namespace}/${ref.name} to ${to}`,
    edit: { ref, field: "spec.ingressClassName", from, to },
  }));
  return { ref, hosts: hostsOf(ingress), code: "RouteNotServed", message, mend };
}

const hostsOf = ({ spec }: Ingress): readonly string[] => (spec?.rules ?? []).map(({ host }) => host ?? "*");

/** Every class that is there has a controller, ours or another; only one that is not there is nobody's. */
function verdictOf(ingress: Ingress, { ingressClasses, config }: Snapshot): ClassVerdict {
  const name = ingress.spec?.ingressClassName ?? ingress.metadata.annotations?.[legacyClassAnnotation];
  const found = ingressClasses.find(({ metadata }) => metadata.name === name);
  const fallback = ingressClasses.find(({ metadata }) => metadata.annotations?.["ingressclass.kubernetes.io/is-default-class"] === "true");
  const controller = (found ?? (name === undefined ? fallback : undefined))?.spec?.controller;
  const ours = config.gateway === "fairlead" || ingressClasses.some(({ spec }) => spec?.controller === ingressController);
  // Manifests seldom bring the classes of the cluster that they are for.
  const trusting = config.origin === "manifests" && ingressClasses.length === 0;
  const standInFor = trusting ? [name ?? ""] : ours ? standInClasses : [];
  return classVerdict(ingress, ingressClasses, {
    controller: controller ?? ingressController,
    standInFor,
    serveClassless: ours || trusting,
  });
}

function gatewayWorld(world: World): RouteWorld {
  const { snapshot } = world;
  const routes: readonly AnyRoute[] = [...snapshot.httpRoutes, ...snapshot.grpcRoutes];
  if (routes.length === 0) return { listeners: [], outside: [], problems: [], hosts: [] };
  const about = aboutGateways(world);
  const plans = new Map(planAll(snapshot, about).map((plan) => [plan.key, plan]));
  const parents: Parents = {
    gateway: (key) => plans.get(key),
    gatewayOfSet: (key) => [...plans.values()].find(({ sets }) => sets.some((set) => set.key === key)),
    namespaceLabels: about.namespaceLabels,
  };
  const planned = routes.map((route) => planRoute(route, parents, about));
  const attachments = planned.flatMap((plan) => plan.attachments);
  return {
    listeners: [...plans.values()].flatMap((plan) =>
      gatewayPorts(plan).flatMap((port) => {
        const listener = httpListener(port, (id) => hostsOfListener(attachments, id));
        return listener === undefined ? [] : [{ listener, port: port.port, name: `Gateway ${plan.key}` }];
      }),
    ),
    outside: planned.flatMap((plan) => unattached(plan.route, plan.parents, snapshot)),
    problems: [],
    hosts: attachments.flatMap(({ hosts }) => hosts),
  };
}

function planAll({ gateways, listenerSets }: Snapshot, about: GatewayWorld): readonly GatewayPlan[] {
  return gateways
    .filter(({ spec }) => about.gatewayClass(spec.gatewayClassName) !== undefined)
    .map((gateway) => {
      const sets = listenerSets.filter(({ metadata, spec }) => {
        const { namespace = metadata.namespace, name } = spec.parentRef;
        return namespace === gateway.metadata.namespace && name === gateway.metadata.name;
      });
      return planGateway(gateway, sets, about);
    });
}

/** Secrets and ConfigMaps are nothing that an explanation should read: they count as there, and as good. */
function aboutGateways({ snapshot, service }: World): GatewayWorld {
  const namespaces = new Map(snapshot.namespaces.map(({ metadata }) => [metadata.name ?? "", metadata.labels ?? {}]));
  const trusting = snapshot.config.origin === "manifests" && snapshot.gatewayClasses.length === 0;
  return {
    controllerName: "",
    gatewayClass: (name) =>
      snapshot.gatewayClasses.find(({ metadata }) => metadata.name === name) ??
      (trusting ? { metadata: { name }, spec: { controllerName: "" } } : undefined),
    namespaceLabels: (name) => ({ "kubernetes.io/metadata.name": name, ...namespaces.get(name) }),
    service,
    secret: (namespace, name) => ({ metadata: { namespace, name } }),
    configMap: (namespace, name) => ({ metadata: { namespace, name } }),
    grants: (namespace) => snapshot.referenceGrants.filter(({ metadata }) => metadata.namespace === namespace),
    backendTlsPolicies: () => [],
    certificateFault: () => undefined,
    bundleFault: () => undefined,
  };
}

function hostsOfListener(attachments: RoutePlan["attachments"], id: string) {
  const own = attachments.filter(({ listener }) => listener.id === id).flatMap(({ routes }) => routes);
  const byHost = Map.groupBy(own, ({ host }: HostRoute) => host);
  return [...byHost].map(([host, routes]) => sectionHost(host, routes));
}

function unattached(route: AnyRoute, parents: ReturnType<typeof planRoute>["parents"], snapshot: Snapshot): readonly Unserved[] {
  const ref = refOf(route.kind, route);
  const hosts = route.spec.hostnames ?? ["*"];
  const taken = parents.some(({ accepted }) => accepted.status === "True");
  if (taken) return [];
  const [refused] = parents;
  if (refused !== undefined)
    return [{ ref, hosts, code: "RouteNotAttached", message: refused.accepted.message, mend: attachMends(route, refused) }];
  const named = (route.spec.parentRefs ?? []).map(
    ({ kind = "Gateway", namespace, name }) => `${kind} ${namespace ?? route.metadata.namespace}/${name}`,
  );
  const there = snapshot.gateways.filter((gateway) => named.includes(`Gateway ${keyOf(gateway)}`));
  const [gateway] = there;
  const message =
    gateway === undefined
      ? named.length === 0
        ? "it names no parent"
        : `${named.join(", ")} does not exist`
      : `GatewayClass ${gateway.spec.gatewayClassName} of Gateway ${keyOf(gateway)} does not exist`;
  return [{ ref, hosts, code: gateway === undefined ? "RouteNotAttached" : "RouteNotServed", message, mend: [] }];
}

/** By what the Gateway API's condition says (`Accepted`, reasons of RouteParentStatus). */
function attachMends({ metadata }: AnyRoute, { accepted, gateway }: RoutePlan["parents"][number]): readonly Proposal[] {
  switch (accepted.reason) {
    case "NotAllowedByListeners":
      return [
        {
          text: `Let a listener of Gateway ${gateway} take routes of namespace ${metadata.namespace}: allowedRoutes.namespaces.from All, or a selector`,
        },
      ];
    case "NoMatchingListenerHostname":
      return [{ text: `Give a listener of Gateway ${gateway} a hostname that the route's fit, or none` }];
    default:
      return [];
  }
}
