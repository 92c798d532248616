/** Who a container's processes are. Pure. */
import type { Container, Pod } from "../../../../api/types.ts";
import { allCapabilities, capabilityName } from "../../oci/capabilities.ts";
import type { ProcessUser } from "../../../../host/namespaces/namespaces.ts";

/** Whom processes are by default where the program is root: nobody (65534 on Linux distributions). */
const unprivileged = 65_534;

export type UserAnswer =
  | { readonly kind: "ok"; readonly user: ProcessUser; readonly home: string }
  /** Reason CreateContainerConfigError; upstream's text. */
  | { readonly kind: "error"; readonly message: string };

/**
 * Rootless, everything runs with the ids of who started the program, whatever number the pod asks to see. As root, nothing
 * runs as the machine's root unless the container is privileged: user 0 of a pod is `nobody` outside.
 */
export function processUser(pod: Pod, container: Container, isRoot: boolean): UserAnswer {
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const uid = own?.runAsUser ?? shared?.runAsUser;
  const gid = own?.runAsGroup ?? shared?.runAsGroup;
  const home = uid === 0 ? "/root" : "/home";
  if (own?.privileged === true && (uid ?? 0) === 0)
    return { kind: "ok", user: isRoot ? { kind: "root" } : { kind: "fake-root" }, home: "/root" };
  if (uid === 0) {
    if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) === true)
      return {
        kind: "error",
        message: `container's runAsUser breaks non-root policy (pod: ${JSON.stringify(pod.metadata.name)}, container: ${container.name})`,
      };
    const kept = boundingSet(container);
    const bounded = kept === undefined ? {} : { boundingSet: kept };
    return { kind: "ok", user: { kind: "fake-root", ...(isRoot ? { uid: unprivileged, gid: unprivileged } : {}), ...bounded }, home };
  }
  if (!isRoot) return { kind: "ok", user: { kind: "own", ...(uid === undefined ? {} : { uid, gid: gid ?? uid }) }, home };
  const groups = [...(shared?.supplementalGroups ?? []), ...(shared?.fsGroup === undefined ? [] : [shared.fsGroup])];
  return { kind: "ok", user: { kind: "own", uid: uid ?? unprivileged, gid: gid ?? uid ?? unprivileged, groups }, home };
}

/**
 * What `capabilities.drop` leaves of those that user 0 has over its own user namespace; undefined: nothing is dropped. Others have none.
 * Names that no kernel knows drop nothing, as upstream.
 */
function boundingSet({ securityContext }: Container): string | undefined {
  const { drop = [], add = [] } = securityContext?.capabilities ?? {};
  const names = (list: readonly string[]) => list.map(capabilityName).filter((name) => allCapabilities.includes(name));
  const dropped = drop.some((name) => capabilityName(name) === "CAP_ALL")
    ? ["-all", ...names(add).map((name) => `+${short(name)}`)]
    : names(drop).map((name) => `-${short(name)}`);
  return dropped.length === 0 ? undefined : dropped.join(",");
}

/** As util-linux has it. */
function short(name: string): string {
  return name.replace("CAP_", "").toLowerCase();
}

/** Whether root here is the machine's root: the text of `/proc/self/uid_map` (user_namespaces(7)). */
export function isMachineRoot(uidMap: string, uid: number): boolean {
  const [first = "", outside = "", length = ""] = uidMap.trim().split(/\s+/);
  return uid === 0 && first === "0" && outside === "0" && Number(length) >= 2 ** 32 - 1;
}
