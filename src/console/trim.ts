/**
 * What of an object a browser gets: what routing decisions read, and nothing that may be secret or that nobody looks at. Environment,
 * commands and volumes of pods stay here; so do the history of who wrote which field, and what kubectl remembers.
 */
import type { KubeObject } from "../api/object.ts";
import type { ConfigMap, Container, Pod } from "../api/types.ts";

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

export function trimmed(object: KubeObject, kind: string): KubeObject {
  const { managedFields: _, annotations, ...metadata } = object.metadata;
  const { [lastApplied]: __, ...rest } = annotations ?? {};
  const plain = { ...object, metadata: annotations === undefined ? metadata : { ...metadata, annotations: rest } };
  switch (kind) {
    case "Pod":
      return trimmedPod(plain as Pod);
    case "ConfigMap":
      return trimmedCorefile(plain as ConfigMap);
    default:
      return plain;
  }
}

function trimmedPod(pod: Pod): Pod {
  const { spec, ...rest } = pod;
  if (spec === undefined) return pod;
  const { nodeName, hostname, subdomain, hostNetwork, readinessGates, dnsPolicy, dnsConfig, restartPolicy } = spec;
  const kept = { nodeName, hostname, subdomain, hostNetwork, readinessGates, dnsPolicy, dnsConfig, restartPolicy };
  const { initContainers } = spec;
  return {
    ...rest,
    spec: {
      ...(defined(kept) as Partial<typeof spec>),
      containers: spec.containers.map(trimmedContainer),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(trimmedContainer) }),
    },
  };
}

function trimmedContainer({ name, image, ports, readinessProbe, livenessProbe, startupProbe, restartPolicy }: Container): Container {
  return { name, ...defined({ image, ports, readinessProbe, livenessProbe, startupProbe, restartPolicy }) };
}

/** Of ConfigMaps only the one that holds the Corefile is followed, and of that only it. */
function trimmedCorefile(config: ConfigMap): ConfigMap {
  const { data: { Corefile } = {}, metadata, apiVersion, kind } = config;
  return { ...defined({ apiVersion, kind }), metadata, data: Corefile === undefined ? {} : { Corefile } };
}

function defined<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
}
