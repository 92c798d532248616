/**
 * A kind is data: one `KindSpec` per kind, in a file of its own under `kinds/`, listed in `kinds/index.ts`. The
 * registry of the API server runs every kind, built in or from a CustomResourceDefinition, through the same code.
 */
import type { FieldError } from "./field-error.ts";
import type { Draft, KubeObject } from "./object.ts";
import type { Resource } from "./resources.ts";

/** What a verb's hook may know of the cluster's configuration. */
export interface KindContext {
  /** Loopback mode: pods live in 127.0.0.0/8, so Endpoints may name loopback addresses, which upstream refuses. */
  readonly allowLoopbackEndpoints: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Column<T extends KubeObject = KubeObject> {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: string;
  /** 0 is shown by plain `kubectl get`; 1 only by `-o wide`. */
  readonly priority: 0 | 1;
  readonly description: string;
  /** The cell. `now` is for ages; a `date` column is a human duration such as `5m12s`. */
  readonly cell: (object: T, now: number) => string | number | boolean;
}

export interface KindSpec<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  /** The type's name in `schema/definitions.json`. */
  readonly definition: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** `["all"]` where `kubectl get all` shows it. */
  readonly categories: readonly string[];
  readonly subresources: readonly (
    | "status"
    | "scale"
    | "log"
    | "exec"
    | "attach"
    | "portforward"
    | "binding"
    | "eviction"
    | "token"
    | "finalize"
    | "proxy"
    | "approval"
    | "ephemeralcontainers"
    | "resize"
  )[];
  /** From a CustomResourceDefinition: no strategic merge patch, no protobuf. */
  readonly custom?: true;
  /** The same objects as of another kind, by other names: stored as that one's. */
  readonly alias?: {
    readonly of: Resource;
    readonly toServed: (object: KubeObject) => KubeObject;
    readonly toStored: (object: KubeObject) => KubeObject;
  };
  /** Where `scale` finds its numbers, as JSONPaths; absent: `spec.replicas`, `status.replicas`, `spec.selector`. */
  readonly scale?: { readonly replicas: string; readonly statusReplicas: string; readonly selector?: string | undefined };
  /** Absent: all. A kind that can only be created is a question to the server, one that can only be read is made when it is asked for: neither is stored. */
  readonly verbs?: readonly ("create" | "get" | "list")[];
  /** A PUT of what is not there creates it. */
  readonly createOnUpdate?: true;
  /** A PUT must say of which version it is. */
  readonly conditionalUpdate?: true;
  /** Every answer about this kind says so in a `Warning:` header. */
  readonly deprecation?: string;
  /** The rule of `metadata.name` (`names.ts`). */
  readonly nameRule: "dns1123Subdomain" | "dns1123Label" | "dns1035Label" | "pathSegment";
  /** Fills in what the user left out. Runs on every write, before validation, and on objects read from patches. */
  readonly applyDefaults?: (object: Draft<T>) => void;
  /** Before a create: drops what a client may not set (status), sets generation. Default: `status` dropped where it is a subresource. */
  readonly prepareForCreate?: (object: Draft<T>) => void;
  /**
   * Before an update through the main resource: keeps what it may not change (status), raises `metadata.generation` when
   * the spec changed. Default: does both.
   */
  readonly prepareForUpdate?: (object: Draft<T>, old: T) => void;
  /** Errors of the object alone; with `old`, also those of the transition. */
  readonly validate?: (object: T, old: T | undefined, context: KindContext) => readonly FieldError[];
  /** Errors of an update through the status subresource. */
  readonly validateStatus?: (object: T, old: T, context: KindContext) => readonly FieldError[];
  /** Texts for `Warning:` headers: deprecated or ignored fields. */
  readonly warnings?: (object: T, old: T | undefined) => readonly string[];
  /** Beside `metadata.name` and `metadata.namespace`. */
  readonly selectableFields?: Readonly<Record<string, (object: T) => string>>;
  readonly columns: readonly Column<T>[];
  /** How rows of a list are ordered where it is not by name: Events by time. */
  readonly rowOrder?: (a: T, b: T) => number;
  /** What a ready-made delete must do first: pods get a grace period. Seconds, or 0 for at once. */
  readonly defaultGracePeriodSeconds?: (object: T) => number;
  /** What becomes of what it owns when a delete does not say. Default: it goes too (`Background`). */
  readonly defaultPropagationPolicy?: "Orphan";
}
