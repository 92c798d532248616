/** What a verb is given: the request, what it is about, and the registry of its kind. */
import type { Clock } from "../../lib/clock.ts";
import type { ApiRequest } from "../../api/request.ts";
import { authorize, type Authorizer } from "../auth/authorizer.ts";
import { includeObject, type View } from "../encode/respond.ts";
import { representation } from "../encode/accept.ts";
import type { ResourceRequest } from "../request-info.ts";
import type { Registry } from "../registry/registry.ts";

export interface VerbCall {
  readonly request: ApiRequest;
  readonly info: ResourceRequest;
  readonly registry: Registry;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
}

/** Custom resources have no tables, nor have their definitions. */
const hasProtobuf = ({ custom, resource }: Registry["kind"]): boolean => custom !== true && resource.group !== "apiextensions.k8s.io";

export function viewOf({ request, registry, clock }: VerbCall): View {
  return {
    ...representation(request.headers["accept"], { protobuf: hasProtobuf(registry.kind) }),
    kind: registry.kind,
    now: clock.now(),
    includeObject: includeObject(request.query),
  };
}

/** An update or apply that creates what is not there asks for the right to create as well. Throws 403. */
export function authorizeCreate({ authorizer, request, info }: VerbCall): void {
  authorize(authorizer, request.user, { ...info, verb: "create" });
}

export const userAgentOf = ({ request }: VerbCall): string => request.headers["user-agent"] ?? "";

/** The name in the path; verbs on collections have none. */
export const nameOf = ({ info }: VerbCall): string => info.name ?? "";

/** Warnings of a write, as they go into headers; each text once, bounded as upstream's are. */
export class Warnings {
  readonly #texts = new Set<string>();
  #bytes = 0;

  /** All texts together stay below 4 KiB, one below 256 bytes when they do not fit. */
  readonly add = (text: string): void => {
    const clean = text.replaceAll(/\p{Cc}/gu, " ");
    if (this.#texts.has(clean) || this.#bytes + clean.length > 4096) return;
    this.#bytes += clean.length;
    this.#texts.add(clean);
  };

  /** `warning` header values (RFC 7234 5.5): `299 - "text"`. */
  headers(): { readonly warning?: readonly string[] } {
    if (this.#texts.size === 0) return {};
    return { warning: [...this.#texts].map((text) => `299 - "${headerText(text)}"`) };
  }
}

/** Header values carry Latin-1 only; anything else is shown escaped. */
function headerText(text: string): string {
  const quoted = text.replace(/[\\"]/g, "\\$&");
  return quoted.replace(/[^\x20-\x7e]/g, (character) => `\\\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
}
