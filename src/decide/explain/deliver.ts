/** The last part of the way: from a node to the pods that may get the request: NetworkPolicies, and whether anything listens. */
import type { Pod } from "../../api/types.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type { Protocol } from "../proxy/plan.ts";
import { addressFor } from "./client.ts";
import type { Candidate, Edit } from "./explanation.ts";
import { deniedBy, type Denied } from "./network-policy.ts";
import { declaredPorts, podFault } from "./pod-fault.ts";
import { readinessDetail } from "./readiness.ts";
import { refOf } from "./snapshot.ts";
import { listed, plural, step, type Outcome, type Proposal, type ServiceTarget, type Walk } from "./walk.ts";

export interface Addressee {
  readonly ip: string;
  readonly port: number;
  /** `Pod shop/web-1`; absent: by the address. */
  readonly target?: string;
}

/** `through`: the Service that led here, if one did. */
export function deliver(walk: Walk, endpoints: readonly Addressee[], protocol: Protocol, through?: ServiceTarget): Outcome {
  const found = endpoints.map((endpoint) => ({ endpoint, pod: podOf(walk, endpoint) }));
  const direct = through === undefined ? deadPod(walk, found) : undefined;
  if (direct !== undefined) return direct;
  const open = policies(walk, found, protocol);
  if ("code" in open) return open;
  const silent = undeclared(walk, open, protocol, through);
  if (silent !== undefined) return silent;
  warnOfHairpin(walk, open, through);
  const names = open.map(({ endpoint }) => joinHostPort(endpoint.ip, endpoint.port)).toSorted();
  const pods = open.flatMap(({ pod }) => (pod === undefined ? [] : [`${pod.metadata.namespace}/${pod.metadata.name}`]));
  const who = pods.length === 0 ? listed(names) : `${pods.length === 1 ? "pod" : "one of the pods"} ${listed(pods)}`;
  return { code: "Reachable", text: `${who} gets it`, endpoints: names };
}

interface Found {
  readonly endpoint: Addressee;
  /** Undefined: written by hand, or the pods could not be read. */
  readonly pod: Pod | undefined;
}

function podOf({ world }: Walk, { ip, target }: Addressee): Pod | undefined {
  const [, namespace, name] = /^Pod ([^/]*)\/(.+)$/.exec(target ?? "") ?? [];
  return namespace === undefined || name === undefined ? world.podsAt(ip)[0] : world.pod(namespace, name);
}

/** A pod that gets its own request back needs a network that lets it ("Debug Services", hairpin); which one it is no object says. */
function warnOfHairpin({ client, warnings }: Walk, found: readonly Found[], through: ServiceTarget | undefined): void {
  const own = found.find(({ pod }) => pod !== undefined && pod === client.pod);
  if (own?.pod === undefined || through === undefined) return;
  const chance = found.length === 1 ? "always" : `one time in ${found.length}`;
  const text = `${client.text} is itself an endpoint and gets its own request ${chance}: the node's network must allow that (kubelet --hairpin-mode, or a CNI plugin's hairpinMode)`;
  warnings.push({ code: "Hairpin", text, ref: refOf("Pod", own.pod) });
}

/** Whoever asks a pod by its address is told by nobody that it is not ready. */
function deadPod(walk: Walk, [first]: readonly Found[]): Outcome | undefined {
  const pod = first?.pod;
  if (pod === undefined) return undefined;
  const fault = podFault(walk.world, pod);
  if (
    fault === undefined ||
    fault === "ProbeFails" ||
    fault === "ProbePortWrong" ||
    fault === "ReadinessGateClosed" ||
    fault === "PodsTerminating"
  )
    return undefined;
  const ref = refOf("Pod", pod);
  const text = `pod ${ref.namespace}/${ref.name} does not run: ${readinessDetail(pod, fault === "PodsFinished" ? "PodFinished" : "NotReady")}`;
  step(walk, { kind: "pod", ok: false, text, ref });
  return { code: "PodNotRunning", text };
}

function policies(walk: Walk, found: readonly Found[], protocol: Protocol): readonly Found[] | Outcome {
  const { world, client } = walk;
  if (world.snapshot.networkPolicies.length === 0 || world.snapshot.config.networkPolicy === "ignored") return found;
  const judged = found.map((each) => ({ ...each, denied: deniedFor(walk, each, protocol) }));
  const closed = judged.flatMap(({ endpoint, pod, denied }) =>
    pod === undefined || denied === undefined ? [] : [{ endpoint, pod, denied }],
  );
  const [first] = closed;
  if (first === undefined) return found;
  const text = deniedText(walk, first.pod, first.denied);
  const [policy] = first.denied.policies;
  // Nobody in particular asks: whether it is let through depends on who does.
  if (client.kind === "pod" && client.pod === undefined) {
    walk.warnings.push({
      code: "DeniedByNetworkPolicy",
      text: `${text}; with --from the answer is for one client`,
      ...(policy === undefined ? {} : { ref: refOf("NetworkPolicy", policy) }),
    });
    return found;
  }
  const candidates = judged.map(({ endpoint, pod, denied }): Candidate => ({
    kept: denied === undefined,
    name: joinHostPort(endpoint.ip, endpoint.port),
    reason: denied === undefined ? "Allowed" : "Denied",
    detail: denied === undefined ? "" : policyNames(denied),
    ...(pod === undefined ? {} : { ref: refOf("Pod", pod) }),
  }));
  const ok = closed.length < judged.length;
  step(walk, { kind: "network-policy", ok, text, candidates: candidates.toSorted((a, b) => Number(b.kept) - Number(a.kept)) });
  if (!ok)
    return {
      code: "DeniedByNetworkPolicy",
      text,
      proposals: policyProposals(walk, first.pod, first.denied, first.endpoint.port, protocol),
    };
  walk.warnings.push({
    code: "DeniedByNetworkPolicy",
    text: `${closed.length} of ${plural(judged.length, "endpoint")} cannot be reached: connections to these time out`,
  });
  return judged.filter(({ denied }) => denied === undefined);
}

function deniedFor({ world, client }: Walk, { endpoint, pod }: Found, protocol: Protocol): Denied | undefined {
  if (pod === undefined) return undefined;
  const { ip: address, port } = endpoint;
  return deniedBy(world, { client, from: addressFor(client, address), pod, address, port, protocol });
}

const policyNames = ({ policies: list }: Denied): string => listed(list.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));

function deniedText({ client }: Walk, pod: Pod, denied: Denied): string {
  const many = denied.policies.length > 1 ? "NetworkPolicies" : "NetworkPolicy";
  const id = `${pod.metadata.namespace}/${pod.metadata.name}`;
  return denied.direction === "ingress"
    ? `${many} ${policyNames(denied)} of pod ${id} ${denied.policies.length > 1 ? "do" : "does"} not let ${client.text} in`
    : `${many} ${policyNames(denied)} of ${client.text} ${denied.policies.length > 1 ? "do" : "does"} not let it out to pod ${id}`;
}

function policyProposals(
  { client }: Walk,
  pod: Pod,
  { direction, policies: [policy] }: Denied,
  port: number,
  protocol: string,
): readonly Proposal[] {
  if (policy === undefined) return [];
  const rules = (direction === "ingress" ? policy.spec?.ingress : policy.spec?.egress) ?? [];
  const other = direction === "ingress" ? client.pod : pod;
  const namespace = direction === "ingress" ? client.namespace : (pod.metadata.namespace ?? "");
  const labels = other?.metadata.labels ?? {};
  const peer = {
    ...(namespace === policy.metadata.namespace
      ? {}
      : { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } } }),
    podSelector: { matchLabels: labels },
  };
  const block = { ipBlock: { cidr: `${client.address ?? "0.0.0.0"}/${client.address?.includes(":") === true ? 128 : 32}` } };
  const rule = { [direction === "ingress" ? "from" : "to"]: [other === undefined ? block : peer], ports: [{ port, protocol }] };
  const ref = refOf("NetworkPolicy", policy);
  const edit: Edit = { ref, field: `spec.${direction}`, from: rules, to: [...rules, rule] };
  const who = direction === "ingress" ? `from ${client.text}` : `to pod ${pod.metadata.namespace}/${pod.metadata.name}`;
  return [{ text: `Add a rule to NetworkPolicy ${ref.namespace}/${ref.name} for port ${port} ${who}`, edit }];
}

/** Container ports are what people declare; whoever declares some, and not this one, most likely does not listen there. */
function undeclared(walk: Walk, found: readonly Found[], protocol: Protocol, through: ServiceTarget | undefined): Outcome | undefined {
  const judged = found.map(({ endpoint, pod }) => ({ endpoint, pod, declared: pod === undefined ? [] : declaredPorts(pod, protocol) }));
  const silent = judged.filter(({ declared, endpoint }) => declared.length > 0 && !declared.includes(endpoint.port));
  const unknown = judged.filter(({ declared }) => declared.length === 0);
  const ok = silent.length === 0;
  const [first] = silent;
  const text =
    first !== undefined
      ? `pod ${first.pod?.metadata.name} declares port ${listed(first.declared.map(String))}, not ${first.endpoint.port}: most likely nothing listens there`
      : unknown.length > 0
        ? `nothing says at which ports ${unknown.length === 1 ? "the pod listens" : "the pods listen"}; --live would tell`
        : `${plural(found.length, "pod")} declare${found.length === 1 ? "s" : ""} the port`;
  const candidates = judged.map(({ endpoint, pod, declared }): Candidate => ({
    kept: declared.length === 0 || declared.includes(endpoint.port),
    name: joinHostPort(endpoint.ip, endpoint.port),
    reason: declared.length === 0 ? "NotDeclared" : declared.includes(endpoint.port) ? "Declared" : "OtherPortDeclared",
    detail: declared.length === 0 ? "no container port is declared" : `declares ${listed(declared.map(String))}`,
    ...(pod === undefined ? {} : { ref: refOf("Pod", pod) }),
  }));
  step(walk, { kind: "pod", ok, text, candidates: candidates.toSorted((a, b) => Number(b.kept) - Number(a.kept)) });
  if (ok || silent.length < found.length) return undefined;
  return { code: "TargetPortNotDeclared", certainty: "likely", text, proposals: portProposals(through, first?.declared ?? []) };
}

function portProposals(through: ServiceTarget | undefined, declared: readonly number[]): readonly Proposal[] {
  if (through === undefined) return declared.map((port) => ({ text: `Ask for port ${port}` }));
  const { service, port } = through;
  const index = (service.spec?.ports ?? []).indexOf(port);
  const id = `${service.metadata.namespace}/${service.metadata.name}`;
  return declared.map((to): Proposal => {
    const edit: Edit = { ref: refOf("Service", service), field: `spec.ports[${index}].targetPort`, from: port.targetPort ?? port.port, to };
    return { text: `Set targetPort of port ${port.port} of Service ${id} to ${to}`, edit };
  });
}
