/**
 * The one way in which components read and write the API. The same interface speaks HTTPS to a remote server and,
 * in process, straight to an `ApiHandler`. Objects come back frozen. Failures are `StatusError`s.
 */
import type { KubeList, KubeObject } from "../api/object.ts";
import type { WatchEvent } from "../api/request.ts";
import type { Resource } from "../api/resources.ts";
import type { Preconditions } from "../api/types.ts";

export interface ObjectRef {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly signal?: AbortSignal;
}

export interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this version; with `sendInitialEvents` every object first, then a bookmark. */
  readonly resourceVersion?: string;
  readonly sendInitialEvents?: boolean;
  readonly allowWatchBookmarks?: boolean;
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

export interface WriteOptions {
  /** Recorded in managedFields; default: the client's own. */
  readonly fieldManager?: string;
  readonly fieldValidation?: "Ignore" | "Warn" | "Strict";
  readonly dryRun?: boolean;
  /** Writes this subresource instead of the object itself: `finalize` of a namespace. */
  readonly subresource?: string;
  /** Texts of `Warning:` headers. */
  readonly onWarning?: (text: string) => void;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly preconditions?: Preconditions;
}

export type PatchType =
  | "application/json-patch+json"
  | "application/merge-patch+json"
  | "application/strategic-merge-patch+json"
  | "application/apply-patch+yaml";

export interface Client {
  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): Promise<T>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<KubeList<T>>;
  /** Ends when the server ends it, or with the signal; an `ERROR` event (a Status) is thrown as a StatusError. */
  watch<T extends KubeObject>(resource: Resource<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Optimistic: fails with Conflict when `metadata.resourceVersion` is not the current one (absent: unconditional). */
  update<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  updateStatus<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions & { readonly force?: boolean },
  ): Promise<T>;
  delete<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /** POST to a subresource: `pods/binding`, `serviceaccounts/token`. */
  post<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, subresource: string, body: object): Promise<object>;
  /** A GET of any path (with its query): JSON as frozen data, anything else as text. Discovery, `/version`, `/readyz`. */
  raw(path: string): Promise<unknown>;
  /** A GET of any path (with its query), as bytes while they come: logs. Ends with the answer or the signal. */
  stream(path: string, signal?: AbortSignal): AsyncIterable<Uint8Array>;
}
