/**
 * What is looked at between authorization and storage: each plugin may change the object before it is prepared, and refuse the request
 * then or when it is ready to be stored. The list is explicit and ordered; a new plugin is a file beside this one and a line in `index.ts`.
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
  /** Nothing will be stored: whoever has effects elsewhere must leave them. */
  readonly dryRun: boolean;
  /** Texts for `Warning:` headers. */
  readonly warn: (text: string) => void;
}

export interface AdmissionPlugin {
  readonly name: string;
  /** Throws a StatusError to refuse. Changes `request.object`, which has its defaults, in place. A DELETE comes without `old`. */
  admit?(request: AdmissionRequest): void | Promise<void>;
  /** Looks at the object as it would be stored; of a DELETE at `old`. Throws a StatusError to refuse. Changes nothing. */
  validate?(request: AdmissionRequest): void | Promise<void>;
}
