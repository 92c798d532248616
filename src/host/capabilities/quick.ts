/** The part of the probes that `up` waits for: 10 ms, most of it the start of one small program. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { findTool } from "../launch/enter.ts";
import { bestMode, type Capability, type Mode } from "./capability.ts";
import { explainRefusal } from "./refusal.ts";

/** Installed with every Linux; a container image can be without. */
const tools = ["sh", "unshare", "setpriv", "setsid", "nsenter"];

/** Tries, in this order, as who we are and in a user namespace. */
export function quickMode(): Mode {
  const found = [probeTools(), probeFfiPresence()];
  if (found.some(({ ok }) => !ok)) return bestMode(found, false);
  const plain = process.getuid?.() === 0 ? probeNamespaces(true) : undefined;
  if (plain?.ok) return bestMode([...found, plain], true);
  return bestMode([...found, probeNamespaces(false)], false);
}

export function probeTools(): Capability {
  const missing = tools.filter((tool) => !existsSync(findTool(tool)));
  if (missing.length === 0) return { id: "tools", ok: true, why: `${tools.join(", ")} are installed` };
  return { id: "tools", ok: false, why: `not installed: ${missing.join(", ")}`, enable: "install the package util-linux" };
}

/** Whether it can be there; loading it takes longer than all of this. */
export function probeFfiPresence(): Capability {
  if (process.platform !== "linux") return { id: "ffi", ok: false, why: `no namespaces on ${process.platform}` };
  if (process.env["FAIRLEAD_FFI"] === "off") return { id: "ffi", ok: false, why: "FAIRLEAD_FFI=off", enable: "unset FAIRLEAD_FFI" };
  try {
    createRequire(import.meta.url).resolve("koffi");
    return { id: "ffi", ok: true, why: "the package koffi is installed" };
  } catch {
    return { id: "ffi", ok: false, why: "the package koffi is not installed", enable: "npm install --include=optional" };
  }
}

/** `root`: without a user namespace. All kinds at once, with the `/proc` that they need. */
export function probeNamespaces(root: boolean): Capability {
  const kinds = ["--mount", "--net", "--uts", "--pid", "--fork", "--mount-proc"];
  const tried = tryUnshare(root ? kinds : ["--user", "--map-root-user", ...kinds]);
  if (tried.ok)
    return { id: "namespaces", ok: true, why: `network, mount, PID and UTS namespaces, ${root ? "as root" : "in a user namespace"}` };
  return { id: "namespaces", ok: false, ...explainRefusal({ ...readFacts(), root, said: tried.said }) };
}

/** Root needs none to run a cluster, but pods that ask for `runAsUser: 0` get theirs. */
export function probeUserNamespaces(): Capability {
  const tried = tryUnshare(["--user", "--map-root-user"]);
  if (tried.ok) return { id: "user-namespaces", ok: true, why: "a user namespace with the user as its root" };
  return { id: "user-namespaces", ok: false, ...explainRefusal({ ...readFacts(), root: false, said: tried.said }) };
}

export function tryUnshare(flags: readonly string[]): { readonly ok: boolean; readonly said: string } {
  const child = spawnSync(findTool("unshare"), [...flags, "--", findTool("true")], { encoding: "utf8", timeout: 10_000 });
  return { ok: child.status === 0, said: child.error?.message ?? child.stderr };
}

function readFacts() {
  return {
    maxUserNamespaces: readNumber("/proc/sys/user/max_user_namespaces"),
    unprivilegedClone: readNumber("/proc/sys/kernel/unprivileged_userns_clone"),
    apparmorRestriction: readNumber("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
    container: ["/.dockerenv", "/run/.containerenv"].some((file) => existsSync(file)),
  };
}

/** Undefined where there is no such file. */
export function readNumber(file: string): number | undefined {
  try {
    return Number(readFileSync(file, "utf8").trim());
  } catch {
    return undefined;
  }
}
