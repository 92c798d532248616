/** What is behind a rule: its backends, each with its share of the requests. */
import { matchesPort, resolveBackend, portText } from "../routes/backends.ts";
import type { BackendRef, Route } from "../routes/route-table.ts";
import { emptyCause } from "./cause.ts";
import { deliver } from "./deliver.ts";
import { nearest } from "./nearest.ts";
import { refOfRoute } from "./route-world.ts";
import type { ObjectRef } from "./snapshot.ts";
import { plural, step, type Outcome, type Proposal, type Walk } from "./walk.ts";

/** Every backend of the rule gets its share: one that is broken breaks that share. */
export function behind(walk: Walk, route: Route): Outcome {
  const redirect = route.filters.find(({ kind }) => kind === "redirect");
  const refusal = route.filters.find(({ kind }) => kind === "refuse");
  if (redirect !== undefined) return { code: "Reachable", text: `${route.id} answers with a redirect`, endpoints: [] };
  if (refusal?.kind === "refuse") return { code: "RouteInvalid", text: `${route.id}: ${refusal.message}` };
  if (route.backends.length === 0) return { code: "BackendUnusable", text: `${route.id} has no backend: gateways answer 500` };
  const outcomes = route.backends.filter(({ weight }) => weight > 0).map((ref) => toBackend(walk, route, ref));
  const broken = outcomes.find(({ code }) => code !== "Reachable");
  if (broken !== undefined) return broken;
  return {
    code: "Reachable",
    text: outcomes.map(({ text }) => text).join("; "),
    endpoints: [...new Set(outcomes.flatMap(({ endpoints = [] }) => endpoints))].toSorted(),
  };
}

/** Who sends is the gateway, which asks no proxy; which pod it is is not known. */
function toBackend(walk: Walk, route: Route, ref: BackendRef): Outcome {
  const { world } = walk;
  const service = world.service(ref.namespace, ref.name);
  const where: ObjectRef = { kind: "Service", namespace: ref.namespace, name: ref.name };
  const fail = (outcome: Outcome): Outcome => {
    step(walk, { kind: "service", ok: false, text: outcome.text, ref: where });
    return outcome;
  };
  if (ref.refused?.includes("ReferenceGrant"))
    return fail({ code: "BackendNotPermitted", text: `${route.id}: ${ref.refused}`, proposals: grantProposal(route, ref) });
  const backend = resolveBackend(ref, service, world.slicesOf(ref.namespace, ref.name));
  if (backend.kind === "endpoints") {
    const share = route.backends.length > 1 ? `, with weight ${ref.weight}` : "";
    step(walk, {
      kind: "service",
      ok: true,
      ref: where,
      text: `the rule leads to port ${portText(ref.port)} of Service ${ref.namespace}/${ref.name}: ${plural(backend.endpoints.length, "endpoint")}${share}`,
    });
    const asGateway: Walk = { ...walk, client: { kind: "pod", namespace: ref.namespace, text: "the gateway", addresses: [] } };
    const port = servicePortOf(ref, service);
    return deliver(asGateway, backend.endpoints, "TCP", service === undefined || port === undefined ? undefined : { service, port });
  }
  const text = `${route.id}: ${backend.message}`;
  switch (backend.reason) {
    case "ServiceNotFound":
      return fail({ code: "BackendServiceNotFound", text, proposals: serviceProposals(walk, route, ref) });
    case "ServicePortNotFound":
      return fail({ code: "BackendPortNotFound", text, proposals: backendPortProposals(walk, route, ref) });
    case "NoEndpoints": {
      const port = servicePortOf(ref, service);
      return service === undefined || port === undefined
        ? fail({ code: "BackendUnusable", text })
        : fail(emptyCause(world, { service, port }));
    }
    default:
      return fail({ code: "BackendUnusable", text });
  }
}

function servicePortOf({ port }: BackendRef, service: ReturnType<Walk["world"]["service"]>) {
  return (service?.spec?.ports ?? []).find((each) => matchesPort(port, each));
}

function grantProposal(route: Route, ref: BackendRef): readonly Proposal[] {
  return [
    {
      text: `Write a ReferenceGrant in namespace ${ref.namespace} that lets ${route.source.kind} of ${route.source.namespace} name Service ${ref.name}`,
    },
  ];
}

/** Only an Ingress says where its backend stands. */
function backendField({ source }: Route): string | undefined {
  if (source.kind !== "Ingress") return undefined;
  return source.field === "spec.defaultBackend" ? "spec.defaultBackend.service" : `${source.field}.backend.service`;
}

function serviceProposals({ world }: Walk, route: Route, ref: BackendRef): readonly Proposal[] {
  const field = backendField(route);
  return nearest(
    ref.name,
    world.servicesIn(ref.namespace).map(({ metadata }) => metadata.name ?? ""),
  ).map((to) => ({
    text: `Let ${route.id} lead to Service ${ref.namespace}/${to}`,
    ...(field === undefined ? {} : { edit: { ref: refOfRoute(route), field: `${field}.name`, from: ref.name, to } }),
  }));
}

function backendPortProposals({ world }: Walk, route: Route, ref: BackendRef): readonly Proposal[] {
  const field = backendField(route);
  return (world.service(ref.namespace, ref.name)?.spec?.ports ?? []).slice(0, 3).map(({ port }) => ({
    text: `Let ${route.id} lead to port ${port} of Service ${ref.namespace}/${ref.name}`,
    ...(field === undefined ? {} : { edit: { ref: refOfRoute(route), field: `${field}.port`, from: ref.port, to: { number: port } } }),
  }));
}
