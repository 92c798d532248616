/**
 * Whether NetworkPolicies let a client through to a pod (networking.k8s.io/v1): a pod that any policy of a direction selects is closed in
 * that direction but for what the policies allow together. What a node sends to its own pods always passes.
 */
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import type { LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Pod } from "../../api/types.ts";
import { cidrContains, parseCidr, parseIp } from "../../lib/ip.ts";
import type { Protocol } from "../proxy/plan.ts";
import type { FoundClient } from "./client.ts";
import type { World } from "./world.ts";

export interface Connection {
  readonly client: FoundClient;
  /** Its address, of the target's family. */
  readonly from: string;
  readonly pod: Pod;
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/** The policies that close the way, if one does; nobody's allowing is each one's doing. */
export interface Denied {
  readonly direction: "ingress" | "egress";
  readonly policies: readonly NetworkPolicy[];
}

export function deniedBy(world: World, connection: Connection): Denied | undefined {
  return egress(world, connection) ?? ingress(world, connection);
}

function ingress(world: World, connection: Connection): Denied | undefined {
  const { client, pod } = connection;
  if (client.kind === "node" && client.node === pod.spec?.nodeName) return undefined;
  const policies = policiesOf(world, pod, "Ingress");
  const allowed = policies.some((policy) =>
    (policy.spec?.ingress ?? []).some(
      ({ from = [], ports = [] }) =>
        allowsPort(ports, pod, connection) &&
        (from.length === 0 || from.some((peer) => isPeer(world, policy, peer, client.pod, connection.from, client.namespace))),
    ),
  );
  return policies.length === 0 || allowed ? undefined : { direction: "ingress", policies };
}

function egress(world: World, connection: Connection): Denied | undefined {
  const { client, pod } = connection;
  if (client.pod === undefined) return undefined;
  const policies = policiesOf(world, client.pod, "Egress");
  const allowed = policies.some((policy) =>
    (policy.spec?.egress ?? []).some(
      ({ to = [], ports = [] }) =>
        allowsPort(ports, pod, connection) &&
        (to.length === 0 || to.some((peer) => isPeer(world, policy, peer, pod, connection.address, pod.metadata.namespace ?? ""))),
    ),
  );
  return policies.length === 0 || allowed ? undefined : { direction: "egress", policies };
}

function policiesOf({ snapshot }: World, pod: Pod, type: "Ingress" | "Egress"): readonly NetworkPolicy[] {
  // A policy is enforced where the pod's own network is.
  if (pod.spec?.hostNetwork === true) return [];
  return snapshot.networkPolicies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.metadata.namespace &&
      typesOf(spec).includes(type) &&
      selects(spec?.podSelector ?? {}, pod.metadata.labels),
  );
}

/** As the API fills it in: Ingress always, Egress where there are egress rules. */
function typesOf(spec: NetworkPolicy["spec"]): readonly string[] {
  return spec?.policyTypes ?? ["Ingress", ...((spec?.egress ?? []).length > 0 ? ["Egress"] : [])];
}

function allowsPort(ports: readonly NetworkPolicyPort[], pod: Pod, { port, protocol }: Connection): boolean {
  return (
    ports.length === 0 ||
    ports.some((each) => {
      if ((each.protocol ?? "TCP") !== protocol) return false;
      if (each.port === undefined) return true;
      if (typeof each.port === "string") return namedPort(pod, each.port, protocol) === port;
      return port >= each.port && port <= (each.endPort ?? each.port);
    })
  );
}

function namedPort(pod: Pod, name: string, protocol: string): number | undefined {
  const all = (pod.spec?.containers ?? []).flatMap(({ ports = [] }) => ports);
  return all.find((port) => port.name === name && (port.protocol ?? "TCP") === protocol)?.containerPort;
}

function isPeer(
  world: World,
  policy: NetworkPolicy,
  peer: NetworkPolicyPeer,
  pod: Pod | undefined,
  address: string,
  namespace: string,
): boolean {
  const { ipBlock, podSelector, namespaceSelector } = peer;
  if (ipBlock !== undefined) return inBlock(address, ipBlock.cidr) && !(ipBlock.except ?? []).some((cidr) => inBlock(address, cidr));
  if (pod === undefined) return false;
  const inNamespace =
    namespaceSelector === undefined
      ? policy.metadata.namespace === namespace
      : selects(namespaceSelector, namespaceLabels(world, namespace));
  return inNamespace && (podSelector === undefined || selects(podSelector, pod.metadata.labels));
}

function namespaceLabels({ snapshot }: World, name: string): Readonly<Record<string, string>> {
  const found = snapshot.namespaces.find(({ metadata }) => metadata.name === name);
  return { "kubernetes.io/metadata.name": name, ...found?.metadata.labels };
}

const selects = (selector: LabelSelector, labels: Readonly<Record<string, string>> = {}): boolean =>
  matchesLabels(selectorOf(selector), labels);

function inBlock(address: string, text: string): boolean {
  const [ip, cidr] = [parseIp(address), parseCidr(text)];
  return ip !== undefined && cidr !== undefined && cidrContains(cidr, ip);
}
