/**
 * One registry per kind, the same code for all: how objects are made, changed and removed. Reads come from the store;
 * every write goes decode → admission → prepare → managed fields → store, under the optimistic lock, and is tried again
 * when somebody else was quicker and the caller had no wish about the version.
 */
import type { KindContext, KindSpec } from "../../api/kind.ts";
import { keyOf, type Draft, type KubeObject } from "../../api/object.ts";
import { omitEmpty } from "../../api/omit-empty.ts";
import { prepare, prepareStatus, type Allocation, type AllocationOutcome, type Prepared } from "../../api/prepare.ts";
import type { UserInfo } from "../../api/request.ts";
import { alreadyExistsError, badRequestError, conflictError, invalidError, modifiedError, notFoundError } from "../../api/status.ts";
import type { DeleteOptions, ManagedFieldsEntry } from "../../api/types.ts";
import { rfc3339, type Clock } from "../../lib/clock.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission/admission.ts";
import type { CachedObject, ResourceStore, StoreWriteResult } from "../store.ts";
import { decideDeletion, isReleased } from "./deletion.ts";
import { managedFieldsOf } from "./managed-fields.ts";
import { generatedName } from "./names.ts";
import { sameObject } from "./same.ts";

/** An object that goes out; a stored one has its bytes at hand. */
export type Written = Pick<CachedObject, "object" | "bytes">;

/** Who writes, and how. */
export interface WriteContext {
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly manager: string;
  /** Texts for `Warning:` headers. */
  readonly warn: (text: string) => void;
}

/** What an update makes of the current object. */
export interface Change {
  /** Fresh from the decoder: the registry takes it over and changes it. */
  readonly object: Draft<KubeObject>;
  /** Managed fields that a server-side apply has settled; otherwise the write is tracked as an update. */
  readonly applied?: boolean;
}

export type UpdateScope =
  /** Everything but status. */
  | "main"
  /** `status` alone. */
  | "status"
  /** The object as the change made it, unprepared: subresources that own a field (`binding`, `finalize`). */
  | {
      readonly subresource: string;
      /** Instead: the whole object as after a write through the main resource; only its owners are told apart (`scale`). */
      readonly prepared?: true;
      /** Instead: what becomes of the old object by what was sent, checked. Takes `object` over. */
      readonly part?: (object: Draft<KubeObject>, old: KubeObject) => Prepared;
    };

export interface Removed {
  /** False: it stays for now, marked as being deleted. */
  readonly gone: boolean;
  readonly object: Written;
}

export interface RegistryOptions {
  readonly kind: KindSpec;
  readonly store: ResourceStore;
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
  readonly uid: () => string;
  readonly allowLoopbackEndpoints: boolean;
  /** Asked in order before every write. */
  readonly admission: readonly AdmissionPlugin[];
  /** What the kind takes from pools (`allocate/service.ts`), and gives back when it is gone. */
  readonly pools?: {
    allocate(object: Draft<KubeObject>, old: KubeObject | undefined): AllocationOutcome;
    release(object: KubeObject): void;
  };
}

/** How often a write is tried again against others; more means that something writes without end. */
const maxTries = 50;
/** How often another name is made up when one is taken (KEP-4420). */
const maxNames = 8;

export class Registry {
  readonly kind: KindSpec;
  readonly store: ResourceStore;
  readonly #options: RegistryOptions;

  constructor(options: RegistryOptions) {
    this.kind = options.kind;
    this.store = options.store;
    this.#options = options;
  }

  /** Throws 404. */
  get(namespace: string | undefined, name: string): CachedObject {
    const found = this.store.get(keyOf(namespace, name));
    if (found === undefined) throw notFoundError(this.kind.resource, name);
    return found;
  }

  /** Throws 409 AlreadyExists, 422, and what admission refuses. */
  async create(namespace: string | undefined, change: Change, context: WriteContext): Promise<Written> {
    const { object } = change;
    const { metadata } = object;
    if ((metadata.resourceVersion ?? "") !== "") throw badRequestError("resourceVersion should not be set on objects to be created");
    const generates = (metadata.name ?? "") === "" && (metadata.generateName ?? "") !== "";
    for (let tries = 1; ; tries++) {
      const next = generates && tries < maxNames ? structuredClone(object) : object;
      if (generates) next.metadata.name = generatedName(metadata.generateName as string, this.#options.random);
      const written = await this.#createOnce(namespace, { ...change, object: next }, context);
      if (written !== undefined) return written;
      if (!generates || tries === maxNames) throw alreadyExistsError(this.kind.resource, next.metadata.name ?? "");
    }
  }

  async #createOnce(namespace: string | undefined, change: Change, context: WriteContext): Promise<Written | undefined> {
    const { object } = change;
    const { metadata } = object;
    this.#omitEmpty(object);
    if (namespace !== undefined) metadata.namespace = namespace;
    metadata.uid = this.#options.uid();
    metadata.creationTimestamp = rfc3339(this.#options.clock.now());
    // What admission adds belongs to nobody: it comes after the owners are settled.
    this.#track(change, undefined, undefined, context);
    const about = { operation: "CREATE", old: undefined, subresource: undefined, namespace, name: metadata.name ?? "" } as const;
    await this.#admit({ ...about, object }, context);
    const prepared = this.#prepared(object, undefined, context);
    const next = prepared.object as KubeObject;
    const key = keyOf(namespace, metadata.name ?? "");
    return settle(prepared.allocation, async () => {
      await this.#validate({ ...about, object: prepared.object }, context);
      if (context.dryRun) return this.store.get(key) === undefined ? { written: unstored(next), stored: false } : undefined;
      return stored(await this.store.write(key, next, 0));
    });
  }

  /**
   * Changes the object: `change` is called with what is there now, again after each lost race. An object given back with
   * another resourceVersion than the current one, or another uid, is a conflict. Nothing is written when nothing changes.
   */
  async update(
    namespace: string | undefined,
    name: string,
    scope: UpdateScope,
    change: (current: KubeObject) => Change | Promise<Change>,
    context: WriteContext,
  ): Promise<Written> {
    for (let tries = 0; tries < maxTries; tries++) {
      const current = this.get(namespace, name);
      const changed = await change(current.object());
      this.#checkLock(changed.object, current, name);
      const written = await this.#updateOnce(current, changed, scope, context);
      if (written !== undefined) return written;
    }
    throw modifiedError(this.kind.resource, name);
  }

  #checkLock({ metadata }: Draft<KubeObject>, current: CachedObject, name: string): void {
    const { uid } = current.object().metadata;
    if ((metadata.uid ?? "") !== "" && metadata.uid !== uid)
      throw conflictError(
        this.kind.resource,
        name,
        `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`,
      );
    const version = metadata.resourceVersion ?? "";
    if (version !== "" && version !== "0" && version !== String(current.revision)) throw modifiedError(this.kind.resource, name);
  }

  async #updateOnce(current: CachedObject, changed: Change, scope: UpdateScope, context: WriteContext): Promise<Written | undefined> {
    const old = current.object();
    const subresource = scope === "main" ? undefined : scope === "status" ? "status" : scope.subresource;
    const { namespace, name = "" } = old.metadata;
    this.#omitEmpty(changed.object);
    this.#track(changed, old, subresource, context);
    const about = { operation: "UPDATE", old, subresource, namespace, name } as const;
    await this.#admit({ ...about, object: changed.object }, context);
    const prepared = this.#preparedUpdate(changed.object, old, scope, context);
    const next = prepared.object as KubeObject;
    return settle(prepared.allocation, async () => {
      await this.#validate({ ...about, object: prepared.object }, context);
      if (sameObject(next, old)) return { written: current, stored: false };
      if (context.dryRun) return { written: unstored(withVersion(next, current)), stored: false };
      if (!isReleased(next)) return stored(await this.store.write(current.key, next, current.revision));
      const removed = await this.#remove(current);
      return removed && { written: removed.object, stored: false };
    });
  }

  #preparedUpdate(object: Draft<KubeObject>, old: KubeObject, scope: UpdateScope, context: WriteContext): Prepared {
    if (scope === "main") return this.#prepared(object, old, context);
    if (scope !== "status" && scope.prepared === true) return this.#prepared(object, old, context);
    if (scope === "status") return this.#checked(prepareStatus(this.kind, object, old, this.#kindContext()), context);
    return scope.part === undefined ? { object, errors: [], warnings: [] } : this.#checked(scope.part(object, old), context);
  }

  #prepared(object: Draft<KubeObject>, old: KubeObject | undefined, context: WriteContext): Prepared {
    const { pools } = this.#options;
    const allocate = pools === undefined ? {} : { allocate: pools.allocate.bind(pools) };
    return this.#checked(prepare(this.kind, object, old, { ...this.#kindContext(), ...allocate }), context);
  }

  #checked(prepared: Prepared, context: WriteContext): Prepared {
    const { resource } = this.kind;
    if (prepared.errors.length > 0) throw invalidError(resource, prepared.object.metadata.name ?? "", prepared.errors);
    prepared.warnings.forEach(context.warn);
    return prepared;
  }

  #omitEmpty(object: Draft<KubeObject>): void {
    if (this.kind.custom !== true) omitEmpty(object, this.kind.definition);
  }

  /** Settles who owns what, before the server adds anything of its own. */
  #track({ object, applied }: Change, old: KubeObject | undefined, subresource: string | undefined, { manager }: WriteContext): void {
    if (applied === true) return;
    this.kind.applyDefaults?.(object);
    const entries = managedFieldsOf(object, old, { kind: this.kind, manager, time: rfc3339(this.#options.clock.now()), subresource });
    if (entries === undefined || entries.length === 0) delete object.metadata.managedFields;
    else object.metadata.managedFields = entries as Draft<ManagedFieldsEntry>[];
  }

  /** Throws 404, and 409 for a precondition that does not hold. */
  async delete(namespace: string | undefined, name: string, options: DeleteOptions, context: WriteContext): Promise<Removed> {
    const about = { operation: "DELETE", object: undefined, subresource: undefined, namespace, name } as const;
    await this.#admit({ ...about, old: undefined }, context);
    for (let tries = 0; tries < maxTries; tries++) {
      const current = this.get(namespace, name);
      await this.#validate({ ...about, old: current.object() }, context);
      const removed = await this.#deleteOnce(current, options, context);
      if (removed !== undefined) return removed;
    }
    throw modifiedError(this.kind.resource, name);
  }

  async #deleteOnce(current: CachedObject, options: DeleteOptions, context: WriteContext): Promise<Removed | undefined> {
    const { resource } = this.kind;
    const decided = decideDeletion(this.kind, current.object(), options, this.#options.clock.now());
    switch (decided.kind) {
      case "conflict":
        throw conflictError({ ...resource, plural: resource.kind }, current.object().metadata.name ?? "", decided.message);
      case "pending":
        return { gone: false, object: current };
      case "mark": {
        if (context.dryRun) return { gone: false, object: unstored(decided.object) };
        const result = await this.store.write(current.key, decided.object, current.revision);
        return result.kind === "ok" ? { gone: false, object: result.object } : undefined;
      }
      case "remove":
        return context.dryRun ? { gone: true, object: current } : this.#remove(current);
      default:
        return decided satisfies never;
    }
  }

  async #remove(current: CachedObject): Promise<Removed | undefined> {
    const result = await this.store.write(current.key, null, current.revision);
    if (result.kind !== "ok") return undefined;
    this.#options.pools?.release(current.object());
    return { gone: true, object: result.object };
  }

  #admit(request: Asked, context: WriteContext): Promise<void> | void {
    return inOrder(this.#options.admission, "admit", this.#request(request, context));
  }

  #validate(request: Asked, context: WriteContext): Promise<void> | void {
    return inOrder(this.#options.admission, "validate", this.#request(request, context));
  }

  #request(request: Asked, { user, dryRun, warn }: WriteContext): AdmissionRequest {
    return { ...request, kind: this.kind, user, dryRun, warn };
  }

  #kindContext(): KindContext {
    return { allowLoopbackEndpoints: this.#options.allowLoopbackEndpoints, now: this.#options.clock.now() };
  }
}

type Asked = Omit<AdmissionRequest, "kind" | "user" | "dryRun" | "warn">;

/** One after the other; a promise only where one of them makes one. */
function inOrder(plugins: readonly AdmissionPlugin[], phase: "admit" | "validate", request: AdmissionRequest): Promise<void> | void {
  let before: Promise<void> | undefined;
  for (const plugin of plugins) {
    const ask = () => plugin[phase]?.(request);
    if (before !== undefined) before = before.then(ask);
    else before = ask() ?? undefined;
  }
  return before;
}

interface Outcome {
  readonly written: Written;
  /** Whether what was allocated for the object is in use from now on. */
  readonly stored: boolean;
}

/** Runs `write` and tells the pools how it went; undefined is a lost race. */
async function settle(allocation: Allocation | undefined, write: () => Promise<Outcome | undefined>): Promise<Written | undefined> {
  let outcome: Outcome | undefined;
  try {
    outcome = await write();
  } finally {
    if (outcome?.stored === true) allocation?.commit();
    else allocation?.revert();
  }
  return outcome?.written;
}

function stored(result: StoreWriteResult): Outcome | undefined {
  return result.kind === "ok" ? { written: result.object, stored: true } : undefined;
}

function withVersion(object: KubeObject, current: CachedObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(current.revision) } };
}

/** The outcome of a dry run. */
function unstored(object: KubeObject): Written {
  return { object: () => object, bytes: () => Buffer.from(JSON.stringify(object)) };
}
