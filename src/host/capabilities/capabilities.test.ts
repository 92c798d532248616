import { describe, expect, test } from "vitest";
import { bestMode, capabilityIds, type Capability } from "./capability.ts";
import { probeCapabilities } from "./probe.ts";
import { quickMode } from "./quick.ts";
import { explainRefusal, type RefusalFacts } from "./refusal.ts";

const facts: RefusalFacts = {
  root: false,
  said: "unshare: unshare failed: Operation not permitted\n",
  maxUserNamespaces: 1000,
  unprivilegedClone: undefined,
  apparmorRestriction: undefined,
  container: false,
};

describe("why the kernel refuses", () => {
  test.each<[string, Partial<RefusalFacts>, RegExp, RegExp | undefined]>([
    ["switched off", { maxUserNamespaces: 0 }, /max_user_namespaces is 0/, /sysctl -w user\.max_user_namespaces=/],
    ["Debian's switch", { unprivilegedClone: 0 }, /root only/, /unprivileged_userns_clone=1/],
    ["Debian's switch is nothing to root", { unprivilegedClone: 0, root: true }, /Operation not permitted/, undefined],
    ["Ubuntu's AppArmor", { apparmorRestriction: 1 }, /AppArmor/, /apparmor_restrict_unprivileged_userns=0/],
    ["AppArmor's switch is off", { apparmorRestriction: 0 }, /Operation not permitted/, undefined],
    ["a container", { container: true, root: true }, /container.*Operation not permitted/, /docker run/],
    ["too many", { said: "unshare: unshare failed: No space left on device" }, /too many/, /max_net_namespaces/],
    ["nothing was said", { said: "" }, /refuses/, undefined],
  ])("%s", (_, given, why, enable) => {
    const explained = explainRefusal({ ...facts, ...given });
    expect(explained.why).toMatch(why);
    if (enable === undefined) expect(explained.enable).toBeUndefined();
    else expect(explained.enable).toMatch(enable);
  });
});

describe("the best mode", () => {
  const all = capabilityIds.map((id): Capability => ({ id, ok: true, why: "" }));
  const without = (...missing: string[]) =>
    all.map((one) => (missing.includes(one.id) ? { ...one, ok: false, why: `no ${one.id}`, enable: "do it" } : one));

  test("namespaces where all is there, with a user namespace unless root", () => {
    expect(bestMode(all, true)).toEqual({ mode: "namespaces", userNamespace: false });
    expect(bestMode(all, false)).toEqual({ mode: "namespaces", userNamespace: true });
  });

  test("loopback names the first thing that is missing", () => {
    expect(bestMode(without("nftables", "ffi"), false)).toEqual({ mode: "loopback", userNamespace: false, why: "no ffi", enable: "do it" });
  });

  test("what only one feature needs decides nothing", () => {
    expect(bestMode(without("sctp", "ipvs", "tun", "low-ports", "subordinate-ids", "ipv6", "conntrack", "open-files"), true).mode).toBe(
      "namespaces",
    );
  });
});

describe("this machine", () => {
  test("the quick answer and the full one agree, and each finding has a reason", { timeout: 120_000 }, async () => {
    const { capabilities, mode } = await probeCapabilities();
    expect(quickMode().mode).toBe(mode.mode);
    const order = capabilities.map(({ id }) => capabilityIds.indexOf(id));
    expect(order).toEqual([...new Set(order)].sort((a, b) => a - b));
    expect(capabilities.filter(({ why }) => why === "")).toEqual([]);
    expect(capabilities.filter(({ ok, enable }) => ok && enable !== undefined)).toEqual([]);
  });
});
