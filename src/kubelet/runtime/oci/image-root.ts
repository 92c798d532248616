/** What a pod and a real image's configuration say together of a container's processes. Pure. */
import type { Container, Pod } from "../../../api/types.ts";
import { FairleadError } from "../../../lib/errors.ts";
import type { ImageEntry, ImageRoot } from "../process/images.ts";
import { unknownCapabilities } from "./capabilities.ts";
import { imageUser, type ImageUser } from "./image-user.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Why the container may not start; undefined: it may. */
export function rootRefusal(root: ImageRoot, container: Container, pod: Pod): string | undefined {
  const unknown = unknownCapabilities(container);
  if (unknown.length > 0) return `invalid capability: ${unknown.join(", ")}`;
  const answer = imageUser(pod, container, root.user, root.accounts);
  return answer.kind === "error" ? answer.message : undefined;
}

/** Undefined where `rootRefusal` says why. */
export function userOf(root: ImageRoot, container: Container, pod: Pod): ImageUser | undefined {
  const answer = imageUser(pod, container, root.user, root.accounts);
  return answer.kind === "ok" ? answer.user : undefined;
}

/** For where it was not refused. */
export function certainUserOf(root: ImageRoot, container: Container, pod: Pod): ImageUser {
  const user = userOf(root, container, pod);
  if (user === undefined) throw new FairleadError("FL_INTERNAL", `container ${container.name} was not refused, but has no user`);
  return user;
}

export function imageEnvironment({ env }: ImageEntry, user: ImageUser | undefined): Readonly<Record<string, string>> {
  return { PATH: defaultPath, HOME: user?.home ?? "/", ...env };
}
