/** What NetworkPolicies are about: pods with addresses of their own, and the labels of namespaces. */
import type { Labels } from "../../api/selectors.ts";
import type { Container, Pod } from "../../api/types.ts";
import { isPodFinished, podAddresses } from "../endpoints/pod-state.ts";

export type Protocol = "TCP" | "UDP" | "SCTP";

export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

export interface PolicyPod {
  /** `namespace/name` */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly addresses: readonly string[];
  readonly ports: readonly NamedPort[];
  readonly node: string;
}

export interface PolicyWorld {
  pods(): Iterable<PolicyPod>;
  podsIn(namespace: string): Iterable<PolicyPod>;
  /** Undefined: there is no such namespace. */
  namespaceLabels(namespace: string): Labels | undefined;
}

/**
 * Undefined: no policy is about it. It has no address yet, has run to its end (its address may be another's now), or is in its node's own
 * network, where it cannot be told from the node (upstream: "hostNetwork pods … behaviour is undefined").
 */
export function policyPodOf(pod: Pod): PolicyPod | undefined {
  const { namespace = "", name = "", labels = {} } = pod.metadata;
  const addresses = podAddresses(pod);
  if (pod.spec?.hostNetwork === true || isPodFinished(pod) || addresses.length === 0) return undefined;
  return { key: `${namespace}/${name}`, namespace, labels, addresses, ports: namedPorts(pod), node: pod.spec?.nodeName ?? "" };
}

function namedPorts({ spec }: Pod): readonly NamedPort[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...(spec?.containers ?? []), ...sidecars].flatMap(({ ports = [] }: Container) =>
    ports.flatMap(({ name, containerPort, protocol = "TCP" }) =>
      name === undefined ? [] : [{ name, port: containerPort, protocol: protocol as Protocol }],
    ),
  );
}

export function samePolicyPod(a: PolicyPod | undefined, b: PolicyPod | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b));
}
