/** Why the kernel refused namespaces, from what can be read about it, and what to do. Pure. */
import type { Capability } from "./capability.ts";

export interface RefusalFacts {
  readonly root: boolean;
  /** What `unshare` said. */
  readonly said: string;
  /** `user/max_user_namespaces`; undefined where there is no such file. */
  readonly maxUserNamespaces: number | undefined;
  /** `kernel/unprivileged_userns_clone`: Debian's old switch. */
  readonly unprivilegedClone: number | undefined;
  /** `kernel/apparmor_restrict_unprivileged_userns`: Ubuntu 23.10 and newer. */
  readonly apparmorRestriction: number | undefined;
  /** Docker, Podman or the like. */
  readonly container: boolean;
}

type Explanation = Pick<Capability, "why" | "enable">;

export function explainRefusal(facts: RefusalFacts): Explanation {
  const said = facts.said.trim().split("\n").at(-1) ?? "";
  if (facts.maxUserNamespaces === 0)
    return { why: "no user namespaces: user.max_user_namespaces is 0", enable: "sudo sysctl -w user.max_user_namespaces=15000" };
  if (!facts.root && facts.unprivilegedClone === 0)
    return {
      why: "user namespaces are for root only: kernel.unprivileged_userns_clone is 0",
      enable: "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    };
  if (!facts.root && facts.apparmorRestriction === 1)
    return {
      why: "AppArmor takes the rights away in user namespaces: kernel.apparmor_restrict_unprivileged_userns is 1",
      enable: "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    };
  if (facts.container)
    return {
      why: `the container in which this runs forbids it: ${said}`,
      enable:
        "docker run --privileged …, or --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined",
    };
  if (/no space left/i.test(said))
    return { why: `too many namespaces: ${said}`, enable: "sudo sysctl -w user.max_user_namespaces=15000 user.max_net_namespaces=15000" };
  return { why: said === "" ? "the kernel refuses namespaces" : said };
}
