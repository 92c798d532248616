/** Programs that tests need beside the project's own: installed from Debian where that is allowed, once for each test file. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian's package of each. */
const packages: Readonly<Record<string, string>> = {
  dig: "dnsutils",
  nslookup: "dnsutils",
  kdig: "knot-dnsutils",
  delv: "dnsutils",
  unbound: "unbound",
  etcd: "etcd-server",
  curl: "curl",
  nft: "nftables",
  "linux.uml": "user-mode-linux",
  modprobe: "kmod",
  busybox: "busybox-static",
  crun: "crun",
  runc: "runc",
  ip: "iproute2",
  ipset: "ipset",
  ipvsadm: "ipvsadm",
  "xtables-legacy-multi": "iptables",
};

export function findTool(name: string): string | undefined {
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return directories.map((directory) => join(directory, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there.
    return false;
  }
}

/** Undefined when all are there; else why not. */
export function missingTools(...names: readonly string[]): string | undefined {
  const missing = () => names.filter((name) => findTool(name) === undefined);
  if (missing().length > 0 && process.getuid?.() === 0 && findTool("apt-get") !== undefined) install(missing());
  return missing().length === 0 ? undefined : `not installed: ${missing().join(", ")}`;
}

function install(names: readonly string[]): void {
  const wanted = [...new Set(names.flatMap((name) => packages[name] ?? []))];
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    execFileSync("apt-get", ["update", "-qq"], { stdio: "ignore", timeout: 120_000, env });
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...wanted], { stdio: "ignore", timeout: 180_000, env });
  } catch {
    // No network, or another apt runs: what is missing is named.
    return;
  }
}
