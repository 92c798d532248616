/**
 * Who a container's processes are, by the pod and by the image's own /etc/passwd and /etc/group (OCI image-spec v1.1 config.md `User`;
 * kubelet: pkg/kubelet/kuberuntime/security_context_others.go `verifyRunAsNonRoot`). Pure.
 */
import type { Container, Pod } from "../../../api/types.ts";

export interface Accounts {
  /** The text of /etc/passwd and of /etc/group; empty where the image has none. */
  readonly passwd: string;
  readonly group: string;
}

export interface ImageUser {
  readonly uid: number;
  readonly gid: number;
  /** Beside `gid`. */
  readonly groups: readonly number[];
  readonly home: string;
}

export type ImageUserAnswer =
  | { readonly kind: "ok"; readonly user: ImageUser }
  /** Reason CreateContainerConfigError, upstream's text. */
  | { readonly kind: "error"; readonly message: string };

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const mostId = 0xffff_fffe;

/** `imageUser`: of the image's configuration: `app`, `1000`, `app:staff`, `1000:50`. */
export function imageUser(pod: Pod, container: Container, imageUser: string, texts: Accounts): ImageUserAnswer {
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const accounts = parseAccounts(texts.passwd);
  const groups = parseGroups(texts.group);
  const [name = "", groupName] = imageUser.split(":");
  const asked = own?.runAsUser ?? shared?.runAsUser;
  const nonRoot = (own?.runAsNonRoot ?? shared?.runAsNonRoot) === true;
  const what = `(pod: ${JSON.stringify(pod.metadata.name)}, container: ${container.name})`;
  if (asked === 0 && nonRoot) return error(`container's runAsUser breaks non-root policy ${what}`);
  if (asked === undefined && nonRoot) {
    if (name === "" || idOf(name) === 0) return error(`container has runAsNonRoot and image will run as root ${what}`);
    if (idOf(name) === undefined)
      return error(`container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root ${what}`);
  }
  const account = asked === undefined ? accountOf(name, accounts) : accountOf(String(asked), accounts);
  if (account === undefined) return error(`unable to find user ${name}: no matching entries in passwd file`);
  const gid = own?.runAsGroup ?? shared?.runAsGroup ?? (asked === undefined ? groupId(groupName, groups, account.gid) : account.gid);
  if (gid === undefined) return error(`unable to find group ${groupName}: no matching entries in group file`);
  return { kind: "ok", user: { uid: account.uid, gid, groups: supplementary(pod, account, gid, groups), home: account.home } };
}

/** What the pod adds, and unless its policy is Strict what the image's /etc/group says (KEP-3619). */
function supplementary(pod: Pod, account: Account, gid: number, groups: readonly Group[]): readonly number[] {
  const { supplementalGroups = [], supplementalGroupsPolicy, fsGroup } = pod.spec?.securityContext ?? {};
  const ofImage =
    supplementalGroupsPolicy === "Strict" ? [] : groups.filter(({ members }) => members.includes(account.name)).map((group) => group.gid);
  return [...new Set([...ofImage, ...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])])].filter((one) => one !== gid);
}

/** A number needs no entry; a name does. */
function accountOf(name: string, accounts: readonly Account[]): Account | undefined {
  const uid = name === "" ? 0 : idOf(name);
  if (uid === undefined) return accounts.find((account) => account.name === name);
  return accounts.find((account) => account.uid === uid) ?? { name: "", uid, gid: 0, home: uid === 0 ? "/root" : "/" };
}

function groupId(name: string | undefined, groups: readonly Group[], fallback: number): number | undefined {
  if (name === undefined || name === "") return fallback;
  return idOf(name) ?? groups.find((group) => group.name === name)?.gid;
}

function parseAccounts(text: string): readonly Account[] {
  return rows(text).flatMap(([name = "", , uid = "", gid = "", , home = ""]) => {
    const user = idOf(uid);
    const group = idOf(gid);
    return user === undefined || group === undefined ? [] : [{ name, uid: user, gid: group, home: home.startsWith("/") ? home : "/" }];
  });
}

function parseGroups(text: string): readonly Group[] {
  return rows(text).flatMap(([name = "", , id = "", members = ""]) => {
    const gid = idOf(id);
    return gid === undefined ? [] : [{ name, gid, members: members.split(",").filter((member) => member !== "") }];
  });
}

function rows(text: string): readonly (readonly string[])[] {
  return text.split("\n").map((line) => line.trim().split(":"));
}

function idOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= mostId ? Number(text) : undefined;
}

function error(message: string): ImageUserAnswer {
  return { kind: "error", message };
}
