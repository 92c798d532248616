/** A question about an object by its name: a Service at all of its ports, a route at all of its rules, a pod. */
import type { KubeObject } from "../../api/object.ts";
import { joinHostPort } from "../../lib/ip.ts";
import { podAddresses } from "../endpoints/pod-state.ts";
import type { Match } from "./request-of-rule.ts";
import { requestsOf } from "./request-of-rule.ts";
import { deliver } from "./deliver.ts";
import { nearest } from "./nearest.ts";
import { declaredPorts } from "./pod-fault.ts";
import { routeWorldOf } from "./route-world.ts";
import { refOf, type ObjectRef } from "./snapshot.ts";
import type { Target } from "./target.ts";
import { problemOutcome, throughRoute, unservedOutcome } from "./through-route.ts";
import { listed, step, type Outcome, type Walk } from "./walk.ts";
import { throughWholeService } from "./through-whole-service.ts";

type ObjectTarget = Extract<Target, { kind: "object" }>;

export function throughObject(walk: Walk, target: ObjectTarget): Outcome {
  const namespace = target.namespace ?? walk.client.namespace;
  switch (target.object) {
    case "Service":
      return ofService(walk, namespace, target);
    case "Pod":
      return ofPod(walk, namespace, target);
    case "Ingress":
    case "HTTPRoute":
    case "GRPCRoute":
      return ofRoute(walk, { kind: target.object, namespace, name: target.name });
  }
}

function ofService(walk: Walk, namespace: string, { name, port }: ObjectTarget): Outcome {
  const service = walk.world.service(namespace, name);
  if (service === undefined) return serviceMissing(walk, namespace, name);
  return throughWholeService(walk, service, port);
}

function serviceMissing({ world, steps }: Walk, namespace: string, name: string): Outcome {
  const elsewhere = world.servicesNamed(name).map(({ metadata }) => metadata.namespace ?? "");
  const here = world.servicesIn(namespace).map(({ metadata }) => metadata.name ?? "");
  const fail = (outcome: Outcome): Outcome => {
    steps.push({ kind: "service", ok: false, text: outcome.text, candidates: [] });
    return outcome;
  };
  if (elsewhere.length > 0) {
    const text = `there is no Service ${name} in namespace ${namespace}; ${listed(elsewhere)} ${elsewhere.length === 1 ? "has" : "have"} one`;
    return fail({
      code: "ServiceInOtherNamespace",
      text,
      proposals: elsewhere.slice(0, 3).map((each) => ({ text: `Ask for svc/${each}/${name}`, ask: { target: `svc/${each}/${name}` } })),
    });
  }
  if (!world.hasNamespace(namespace)) return fail({ code: "NamespaceNotFound", text: `there is no namespace ${namespace}` });
  const text = `there is no Service ${name} in namespace ${namespace} (it has ${listed(here.toSorted())})`;
  return fail({
    code: "ServiceNotFound",
    text,
    proposals: nearest(name, here).map((each) => ({
      text: `Ask for svc/${namespace}/${each}`,
      ask: { target: `svc/${namespace}/${each}` },
    })),
  });
}

function ofPod(walk: Walk, namespace: string, { name, port }: ObjectTarget): Outcome {
  const pod = walk.world.pod(namespace, name);
  if (pod === undefined) {
    const near = nearest(
      name,
      walk.world.podsIn(namespace).map(({ metadata }) => metadata.name ?? ""),
    );
    const text = `there is no pod ${name} in namespace ${namespace}`;
    step(walk, { kind: "pod", ok: false, text });
    return {
      code: "PodNotFound",
      text,
      proposals: near.map((each) => ({ text: `Ask for pod/${namespace}/${each}`, ask: { target: `pod/${namespace}/${each}` } })),
    };
  }
  const [address] = podAddresses(pod);
  if (address === undefined) {
    const text = `pod ${namespace}/${name} has no address: phase ${pod.status?.phase ?? "Pending"}`;
    step(walk, { kind: "pod", ok: false, text, ref: refOf("Pod", pod) });
    return { code: "PodNotRunning", text };
  }
  const ports = port === undefined ? declaredPorts(pod, "TCP") : [port];
  const target = `Pod ${namespace}/${name}`;
  const outcome = deliver(
    walk,
    (ports.length === 0 ? [0] : ports).map((each) => ({ ip: address, port: each, target })),
    "TCP",
  );
  return ports.length === 0 && outcome.code === "Reachable"
    ? { ...outcome, text: `pod ${namespace}/${name} runs at ${joinHostPort(address, "?")}`, endpoints: [] }
    : outcome;
}

/** A request of each rule's own, whoever takes it. */
function ofRoute(walk: Walk, ref: ObjectRef): Outcome {
  const { snapshot } = walk.world;
  const routes = routeWorldOf(walk.world);
  const is = ({ metadata }: KubeObject) => metadata.namespace === ref.namespace && metadata.name === ref.name;
  const there =
    ref.kind === "Ingress"
      ? snapshot.ingresses.some(is)
      : ref.kind === "HTTPRoute"
        ? snapshot.httpRoutes.some(is)
        : snapshot.grpcRoutes.some(is);
  const fail = (outcome: Outcome): Outcome => {
    step(walk, { kind: "route", ok: false, ref, text: outcome.text });
    return outcome;
  };
  if (!there) return fail({ code: "TargetUnknown", text: `there is no ${ref.kind} ${ref.namespace}/${ref.name}` });
  const unserved = routes.outside.find(
    (each) => each.ref.kind === ref.kind && each.ref.namespace === ref.namespace && each.ref.name === ref.name,
  );
  if (unserved !== undefined) return fail(unservedOutcome(unserved));
  const problem = routes.problems.find(
    ({ severity, source, reason }) =>
      severity === "error" &&
      source.kind === ref.kind &&
      source.namespace === ref.namespace &&
      source.name === ref.name &&
      reason !== "PathConflict",
  );
  if (problem !== undefined) return fail(problemOutcome(problem));
  return ofRules(walk, ref, requestsOf(snapshot, routes, ref));
}

function ofRules(walk: Walk, ref: ObjectRef, requests: readonly Match[]): Outcome {
  const outcomes: Outcome[] = [];
  for (const { request, question } of requests) {
    const outcome = throughRoute({ ...walk, question: { ...walk.question, ...question } }, request, ref);
    if (outcome.code !== "Reachable") return outcome;
    outcomes.push(outcome);
  }
  const endpoints = [...new Set(outcomes.flatMap((each) => each.endpoints ?? []))].toSorted();
  return {
    code: "Reachable",
    text: `${ref.kind} ${ref.namespace}/${ref.name}: ${[...new Set(outcomes.map(({ text }) => text))].join("; ")}`,
    endpoints,
  };
}
