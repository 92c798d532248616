/**
 * What is looked at between authorization and the registry: each plugin may change the object (before its defaults) or
 * refuse the request. The list is explicit and ordered; a new plugin is a file beside this one and a line in `index.ts`.
 */
import type { KindSpec } from "../../api/kind.ts";
import type { Draft, KubeObject } from "../../api/object.ts";
import type { UserInfo } from "../../api/request.ts";

export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly kind: KindSpec;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  /** Empty when the server is yet to generate it. */
  readonly name: string;
  /** The new object as it was decoded; absent for a DELETE. */
  readonly object: Draft<KubeObject> | undefined;
  readonly old: KubeObject | undefined;
  readonly user: UserInfo;
}

export interface AdmissionPlugin {
  readonly name: string;
  /** Throws a StatusError to refuse. Changes `request.object` in place. */
  admit(request: AdmissionRequest): void;
}
