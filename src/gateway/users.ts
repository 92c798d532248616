/** From the Secrets of HTTP Basic to who may come: names and passwords as htpasswd writes them. */
import type { Secret } from "../api/types.ts";
import { usersKey, type BasicAuth, type RouteProblem, type SourceRef } from "../decide/routes/index.ts";
import { isReadable } from "./engine/passwords.ts";

export interface UsersRef {
  readonly users: BasicAuth["users"];
  readonly source: SourceRef;
}

export interface ServedUsers {
  /** By `usersKey`. A Secret that cannot be read is not there: nobody comes in by it. */
  readonly users: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly problems: readonly RouteProblem[];
}

export function serveUsers(refs: Iterable<UsersRef>, secret: (namespace: string, name: string) => Secret | undefined): ServedUsers {
  const users = new Map<string, ReadonlyMap<string, string>>();
  const problems: RouteProblem[] = [];
  for (const { users: of, source } of refs) {
    const found = secret(of.namespace, of.name);
    const name = `Secret ${of.namespace}/${of.name}`;
    const read = found === undefined ? undefined : readUsers(found, of.form);
    if (found === undefined) problems.push(problem(source, "SecretNotFound", `${name}, which says who may come, does not exist`));
    else if (read === undefined) problems.push(problem(source, "SecretInvalid", `${name} has no key "auth" with a file of htpasswd`));
    else {
      const refused = [...read].flatMap(([user, stored]) => (isReadable(stored) ? [] : [user]));
      if (refused.length > 0) problems.push(problem(source, "SecretInvalid", `${name}: passwords of ${refused.join(", ")} ${unreadable}`));
      users.set(usersKey(of), new Map([...read].filter(([, stored]) => isReadable(stored))));
    }
  }
  return { users, problems };
}

const unreadable = "are of a kind that is not checked here (bcrypt, SHA-crypt); htpasswd -m writes those that are";

function problem(source: SourceRef, reason: "SecretNotFound" | "SecretInvalid", message: string): RouteProblem {
  return { severity: "error", reason, source, message };
}

function readUsers({ data = {} }: Secret, form: BasicAuth["users"]["form"]): ReadonlyMap<string, string> | undefined {
  const text = (value: string) => Buffer.from(value, "base64").toString("utf8").trim();
  if (form === "auth-map") return new Map(Object.entries(data).map(([user, value]) => [user, text(value)]));
  if (data["auth"] === undefined) return undefined;
  return new Map(
    text(data["auth"])
      .split("\n")
      .flatMap((line) => {
        const [user = "", stored = ""] = line.trim().split(":");
        return user === "" || user.startsWith("#") ? [] : [[user, stored] as const];
      }),
  );
}
