/**
 * The programs of util-linux through which a pod's program is started, each of which changes one thing about the process
 * and then becomes the next: `unshare --user … -- setpriv … -- PROGRAM`. A user namespace cannot be made by a thread of
 * ours (the kernel wants a process with one thread), and neither can the `/proc` of a PID namespace that has no process yet.
 */
import type { ProcessUser } from "./namespaces.ts";

/** Who nobody is, where nothing else is asked for. */
export const nobody = 65_534;

export interface ChainOptions {
  readonly user: ProcessUser;
  readonly noNewPrivileges: boolean;
  readonly terminal: boolean;
  /** Inside the new root: where the `/proc` of the process's own PID namespace is to be. */
  readonly procTarget: string | undefined;
}

/** Under whose name this program runs. */
export interface Identity {
  /** Really root: not in a user namespace of an ordinary user's. */
  readonly root: boolean;
  /** Rootless: the user's own ids as they are outside. */
  readonly uid: number;
  readonly gid: number;
}

export interface ChainTools {
  readonly unshare: string;
  readonly setpriv: string;
  readonly setsid: string;
}

/** What comes before the program's own path; empty when it can be started directly. */
export function execChain(options: ChainOptions, identity: Identity, tools: ChainTools): readonly string[] {
  const { user, noNewPrivileges } = options;
  const privileges = noNewPrivileges ? ["--no-new-privs"] : [];
  const setpriv = (...flags: readonly string[]) => [tools.setpriv, "--pdeathsig", "KILL", ...flags, "--"];
  const userNamespace = (uid: number, gid: number) => [tools.unshare, "--user", `--map-user=${id(uid)}`, `--map-group=${id(gid)}`, "--"];
  const early = [
    ...(options.terminal ? [tools.setsid, "--ctty", "--"] : []),
    ...(options.procTarget === undefined ? [] : [tools.unshare, "--mount", `--mount-proc=${options.procTarget}`, "--"]),
  ];
  const bounding =
    user.kind === "fake-root" && user.boundingSet !== undefined ? [`--bounding-set=${user.boundingSet}`, "--inh-caps=-all"] : [];
  const late = [...bounding, ...privileges].length === 0 ? [] : setpriv(...bounding, ...privileges);
  switch (user.kind) {
    case "root":
      return [...early, ...late];
    case "own": {
      if (!identity.root) return [...early, ...userNamespace(user.uid ?? identity.uid, user.gid ?? identity.gid), ...late];
      return [...early, ...setpriv(...ids(user.uid ?? nobody, user.gid ?? nobody, user.groups ?? []), ...privileges)];
    }
    case "fake-root": {
      const drop = identity.root ? setpriv(...ids(user.uid ?? nobody, user.gid ?? nobody, [])) : [];
      return [...early, ...drop, ...userNamespace(0, 0), ...late];
    }
  }
}

function ids(uid: number, gid: number, groups: readonly number[]): readonly string[] {
  const supplementary = groups.length === 0 ? ["--clear-groups"] : ["--groups", groups.map(id).join(",")];
  return ["--reuid", String(id(uid)), "--regid", String(id(gid)), ...supplementary];
}

/** The kernel takes -1 for "leave it". */
function id(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_fffe) throw new RangeError(`no user or group id: ${value}`);
  return value;
}
