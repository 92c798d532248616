/**
 * `explain(snapshot, question)`: walks a request as the system would, with the functions that decide in the system itself, and says what
 * becomes of it, why, and what to change. Pure: it runs on a Snapshot anywhere, also in a browser.
 */
import { parseIp } from "../../lib/ip.ts";
import { deepFreeze } from "../../lib/freeze.ts";
import { findClient, type FoundClient } from "./client.ts";
import { explainCodes } from "./codes.ts";
import { connect } from "./connect.ts";
import type { Client, Explanation, Question, Warning } from "./explanation.ts";
import { resolve, type Resolved } from "./resolve.ts";
import type { Snapshot } from "./snapshot.ts";
import { parseTarget, type Target } from "./target.ts";
import { throughObject } from "./through-object.ts";
import { headless, throughWholeService } from "./through-whole-service.ts";
import { isRouted, throughRoute } from "./through-route.ts";
import { tried } from "./changes.ts";
import type { Outcome, Walk } from "./walk.ts";
import { worldOf, type World } from "./world.ts";

export type { Candidate, Change, Client, Edit, Explanation, Question, Step, StepKind, Warning } from "./explanation.ts";
export { explainCodes, type ExplainCode } from "./codes.ts";

export function explain(snapshot: Snapshot, question: Question): Explanation {
  const world = worldOf(snapshot);
  const { explanation, outcome } = walkOnce(world, question);
  if (explanation.ok) return deepFreeze(explanation);
  const changes = tried(world, question, outcome, (other, asked) => walkOnce(other, asked).explanation.code);
  return deepFreeze({ ...explanation, changes });
}

interface Walked {
  readonly explanation: Explanation;
  readonly outcome: Outcome;
}

/** Without changes: these are found by walking again. */
function walkOnce(world: World, question: Question): Walked {
  const found = findClient(world, question.from, question.namespace);
  const target = parseTarget(question.target);
  if (found.kind === "unknown") {
    const nobody: Client = { kind: "outside", namespace: question.namespace ?? "default", text: question.from ?? "" };
    return {
      explanation: finished(world, question, nobody, [], [], { code: "ClientNotFound", text: found.why }),
      outcome: { code: "ClientNotFound", text: found.why },
    };
  }
  const client =
    question.namespace === undefined || found.client.pod !== undefined ? found.client : { ...found.client, namespace: question.namespace };
  const walk: Walk = { world, question, client, steps: [], warnings: [] };
  const outcome = follow(walk, target);
  return { explanation: finished(world, question, publicClient(client), walk.steps, walk.warnings, outcome), outcome };
}

function follow(walk: Walk, target: Target): Outcome {
  switch (target.kind) {
    case "unreadable":
      return { code: "TargetUnknown", text: target.why };
    case "object":
      return throughObject(walk, target);
    case "address":
      return target.port === undefined ? atAddress(walk, target.address) : connect(walk, { ...target, port: target.port });
    case "name":
      return byName(walk, target.name, target.port, target.protocol);
    case "url":
      return byUrl(walk, target);
    default:
      return target satisfies never;
  }
}

/** Without a port: whatever the address has. */
function atAddress(walk: Walk, address: string): Outcome {
  const [service] = walk.world.servicesAt(address);
  if (service !== undefined) return throughWholeService(walk, service);
  const [pod] = walk.world.podsAt(address);
  const { namespace = "", name = "" } = pod?.metadata ?? {};
  return pod === undefined
    ? connect(walk, { address, port: 0, protocol: "TCP" })
    : throughObject(walk, { kind: "object", object: "Pod", namespace, name });
}

function byUrl(walk: Walk, target: Extract<Target, { kind: "url" }>): Outcome {
  const { host, port } = target;
  if (parseIp(host) !== undefined) {
    const own = walk.world.servicesAt(host).length + walk.world.podsAt(host).length + walk.world.servicesWithNodePort(port).length;
    return own === 0 && isRouted(walk, host) ? throughRoute(walk, target) : connect(walk, { address: host, port, protocol: "TCP" });
  }
  // A host of rules is for whoever comes to the gateway; a name of the cluster's goes first for those that ask the cluster's DNS.
  if (walk.client.kind === "outside" && isRouted(walk, host)) return throughRoute(walk, target);
  const before = walk.steps.length;
  const resolved = resolve(walk, host);
  const gone = resolved.kind === "end" && resolved.outcome.code === "LeavesCluster";
  if (gone && isRouted(walk, host)) {
    walk.steps.splice(before);
    return throughRoute(walk, target);
  }
  return afterName(walk, resolved, port, "TCP");
}

function byName(walk: Walk, name: string, port: number | undefined, protocol: "TCP" | "UDP" | "SCTP"): Outcome {
  return afterName(walk, resolve(walk, name), port, protocol);
}

function afterName(walk: Walk, resolved: Resolved, port: number | undefined, protocol: "TCP" | "UDP" | "SCTP"): Outcome {
  if (resolved.kind === "end") return headlessCause(walk, resolved.outcome, port);
  const { answered } = resolved;
  if (answered.kind === "outside")
    return { code: "LeavesCluster", text: `${answered.name} is an alias for ${answered.target}, outside of the cluster` };
  const [address] = answered.addresses;
  if (address === undefined) return { code: "Resolves", text: `${answered.name} resolves` };
  const own = serviceBehind(walk);
  if (own?.spec?.clusterIP === "None" && answered.kind === "addresses") return headless(walk, own, port);
  if (answered.kind === "services") return connect(walk, { address, port: answered.ports[0] ?? 0, protocol });
  if (port !== undefined) return connect(walk, { address, port, protocol });
  return own === undefined
    ? { code: "Resolves", text: `${answered.name} resolves to ${answered.addresses.join(", ")}` }
    : throughWholeService(walk, own);
}

/** A headless Service without endpoints has no name: why it has none is the cause. */
function headlessCause(walk: Walk, outcome: Outcome, port: number | undefined): Outcome {
  if (outcome.code !== "HeadlessWithoutEndpoints") return outcome;
  const { namespace = "", name = "" } = outcome.about ?? {};
  const service = walk.world.service(namespace, name);
  return service === undefined ? outcome : headless(walk, service, port);
}

function serviceBehind({ world, steps }: Walk) {
  const ref = steps.findLast(({ kind }) => kind === "resolve")?.ref;
  return ref?.namespace === undefined ? undefined : world.service(ref.namespace, ref.name);
}

/** Without what only the walk needs. */
function publicClient({ kind, ref, namespace, text, address, node }: FoundClient): Client {
  const optional = {
    ...(ref === undefined ? {} : { ref }),
    ...(address === undefined ? {} : { address }),
    ...(node === undefined ? {} : { node }),
  };
  return { kind, namespace, text, ...optional };
}

function finished(
  { snapshot }: World,
  question: Question,
  from: Client,
  path: Explanation["path"],
  warnings: readonly Warning[],
  { code, text, certainty = undefined, endpoints = [] }: Outcome,
): Explanation {
  const { kind } = explainCodes[code];
  const { unread, assumed } = snapshot.config;
  return {
    target: question.target,
    from,
    ok: kind === "fine",
    code,
    certainty: certainty ?? "certain",
    verdict: verdictOf(kind, question.target, from, text),
    path,
    changes: [],
    endpoints,
    warnings,
    limits: [...unread.map((each) => `${each.kind} objects could not be read: ${each.why}`), ...assumed],
  };
}

function verdictOf(kind: "fine" | "broken" | "unknown", target: string, { text: from }: Client, cause: string): string {
  const text = cause.replace(/[.?]+$/, "");
  switch (kind) {
    case "fine":
      return `${target} from ${from} arrives: ${text}.`;
    case "broken":
      return `${target} from ${from} does not arrive: ${text}.`;
    case "unknown":
      return `${target} from ${from}: ${text}.`;
  }
}
