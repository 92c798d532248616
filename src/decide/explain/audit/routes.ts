/** Ingresses and routes that nobody serves, that clash, or that lead nowhere. */
import { servicePort } from "../../routes/backends.ts";
import type { BackendRef, Route } from "../../routes/route-table.ts";
import { routeWorldOf } from "../route-world.ts";
import type { ObjectRef } from "../snapshot.ts";
import { unservedOutcome } from "../through-route.ts";
import type { World } from "../world.ts";
import { causeFinding, finding, type Finding } from "./finding.ts";
import type { ExplainCode } from "../codes.ts";

/** Services without endpoints are found where they are, and not again for each rule that leads to one. */
export function auditRoutes(world: World): readonly Finding[] {
  const { listeners, outside, problems } = routeWorldOf(world);
  const routes = listeners.flatMap(({ listener }) =>
    [...listener.virtualHosts, ...(listener.sections ?? []).flatMap((section) => section.virtualHosts)].flatMap((host) => host.routes),
  );
  return [
    ...outside.map((each) => causeFinding(unservedOutcome(each), each.ref)),
    ...problems.map(({ severity, reason, source, message }): Finding => {
      const ref: ObjectRef = { kind: source.kind, namespace: source.namespace, name: source.name };
      if (reason === "PathConflict") return finding("PathTwice", ref, source.field, message);
      return { rule: "RouteInvalid", level: severity, ref, field: source.field, text: message, changes: [] };
    }),
    ...[...new Set(routes)].flatMap((route) => route.backends.flatMap((ref) => auditBackend(world, route, ref))),
  ];
}

const codes: Readonly<Record<string, ExplainCode>> = {
  ServiceNotFound: "BackendServiceNotFound",
  ServicePortNotFound: "BackendPortNotFound",
};

function auditBackend(world: World, { source }: Route, ref: BackendRef): readonly Finding[] {
  const at: ObjectRef = { kind: source.kind, namespace: source.namespace, name: source.name };
  const found = (rule: ExplainCode, text: string): readonly Finding[] => [
    { rule, level: "error", ref: at, field: source.field, text, changes: [] },
  ];
  if (ref.refused?.includes("ReferenceGrant")) return found("BackendNotPermitted", ref.refused);
  const port = servicePort(ref, world.service(ref.namespace, ref.name));
  return "kind" in port ? found(codes[port.reason] ?? "BackendUnusable", port.message) : [];
}
