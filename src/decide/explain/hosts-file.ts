/**
 * What a pod's /etc/hosts answers before any server is asked: its own name, and its hostAliases (kubelet `pkg/kubelet/kubelet_pods.go`
 * managedHostsFileContent). A pod that has the name of a Service does not reach that Service by its short name.
 */
import type { Pod } from "../../api/types.ts";
import { podAddresses } from "../endpoints/pod-state.ts";
import { foldName } from "../dns/name.ts";

export interface HostsEntry {
  readonly address: string;
  /** `its own name`, `its hostAliases` */
  readonly why: string;
}

/** Undefined: the file does not have the name. */
export function hostsEntry(pod: Pod, name: string, clusterDomain: string): HostsEntry | undefined {
  const asked = foldName(name).replace(/\.$/, "");
  const alias = (pod.spec?.hostAliases ?? []).find(({ hostnames = [] }) => hostnames.some((each) => foldName(each) === asked));
  if (alias !== undefined) return { address: alias.ip, why: "its hostAliases" };
  const [own] = podAddresses(pod);
  // On its host's network the file is the host's.
  if (own === undefined || pod.spec?.hostNetwork === true) return undefined;
  return ownNames(pod, clusterDomain).includes(asked) ? { address: own, why: "its own name" } : undefined;
}

function ownNames({ metadata, spec }: Pod, clusterDomain: string): readonly string[] {
  const hostname = foldName(spec?.hostname ?? metadata.name ?? "");
  const subdomain = spec?.subdomain ?? "";
  return subdomain === "" ? [hostname] : [hostname, `${hostname}.${foldName(subdomain)}.${metadata.namespace}.svc.${clusterDomain}`];
}
