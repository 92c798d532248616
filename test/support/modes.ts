/** The ways in which one machine may run a cluster: each a mode, a user, and what forbids it here. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program, repository, type Program } from "./program.ts";

export interface Way {
  readonly name: string;
  readonly mode: "namespaces" | "loopback";
  /** Why it cannot be tried here; undefined: it can. */
  readonly missing: string | undefined;
  /** Further words for `up`. */
  readonly flags?: readonly string[];
  /** The program as this way runs it, with a fresh home; remove it by `discard`. */
  open(): Program;
  discard(opened: Program): void;
}

const nobody = 65534;
const isRoot = process.getuid?.() === 0;

function works(...[file, ...args]: [string, ...string[]]): boolean {
  try {
    execFileSync(file, args, { stdio: "ignore", timeout: 10_000 });
    return true;
  } catch {
    // Whatever the reason: this machine does not do it.
    return false;
  }
}

/** Root gives itself up for an ordinary user; the repository may lie where that user cannot look, so it is mounted where it can. */
const asNobody = ["setpriv", "--reuid", String(nobody), "--regid", String(nobody), "--clear-groups"];

function openHome(owner: number | undefined): string {
  const home = mkdtempSync(join(tmpdir(), "fairlead-way-"));
  if (owner !== undefined) chownSync(home, owner, owner);
  chmodSync(home, 0o700);
  return home;
}

function way(
  name: string,
  mode: Way["mode"],
  missing: string | undefined,
  owner: number | undefined,
  prefix: (home: string) => readonly string[],
): Way {
  return {
    name,
    mode,
    missing,
    open() {
      const home = openHome(owner);
      return program(home, prefix(home), owner === undefined ? repository : `${home}/.repository`);
    },
    discard: ({ home }) => rmSync(home, { recursive: true, force: true }),
  };
}

/** A private mount namespace in which the repository is at `HOME/.repository`, then the rest as that user. */
function visible(home: string, rest: readonly string[]): readonly string[] {
  const script = 'mkdir -p "$1" && mount --bind "$2" "$1" && shift 2 && exec "$@"';
  return ["unshare", "-m", "sh", "-c", script, "sh", `${home}/.repository`, repository, ...rest];
}

/** In a user namespace that allows none below it, without any capability: what a hardened machine gives an ordinary user. */
const hardened = [
  "unshare",
  "-Ur",
  "sh",
  "-c",
  'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all --inh-caps -all "$@"',
  "sh",
];

export const ways: readonly Way[] = [
  way("root in namespaces", "namespaces", isRoot ? undefined : "needs root", undefined, () => []),
  isRoot
    ? way(
        "an ordinary user in namespaces",
        "namespaces",
        works("unshare", "-m", ...asNobody, "unshare", "-Urn", "true") ? undefined : "user namespaces are not allowed here",
        nobody,
        (home) => visible(home, asNobody),
      )
    : way(
        "an ordinary user in namespaces",
        "namespaces",
        works("unshare", "-Urn", "true") ? undefined : "user namespaces are not allowed here",
        undefined,
        () => [],
      ),
  isRoot
    ? way(
        "an ordinary user without namespaces",
        "loopback",
        works(...(hardened as [string]), "true") ? undefined : "this rig needs a user namespace",
        nobody,
        (home) => visible(home, [...asNobody, ...hardened]),
      )
    : way(
        "an ordinary user without namespaces",
        "loopback",
        works(...(hardened as [string]), "true") ? undefined : "this rig needs a user namespace",
        undefined,
        () => hardened,
      ),
];

/** The kernel's Services by kube-proxy's own rules. */
export const iptablesWay: Way = {
  ...way(
    "root in namespaces, Services by iptables",
    "namespaces",
    isRoot && works("unshare", "-n", "iptables", "-t", "nat", "-S") ? undefined : "needs root and iptables: apt-get install iptables",
    undefined,
    () => [],
  ),
  flags: ["--proxy-mode", "iptables"],
};
