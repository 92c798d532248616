/**
 * An API server in miniature, for tests of whatever uses a client: it keeps objects, counts revisions, refuses stale
 * updates, deletes and watches as the real one does, and does none of its defaulting, validation or admission. Faults are
 * set by hand.
 */
import type { KubeObject } from "../api/object.ts";
import type { ApiHandler, ApiRequest, ApiResponse, StreamedEvent, WatchEventType } from "../api/request.ts";
import type { Resource } from "../api/resources.ts";
import { alreadyExistsError, badRequestError, goneError, modifiedError, noPathError, notFoundError, StatusError } from "../api/status.ts";
import { deepFreeze } from "../lib/freeze.ts";
import { EventStream } from "./fake-stream.ts";

export interface FakeApi extends ApiHandler {
  /** The newest revision. */
  readonly revision: number;
  /** Every request so far: `GET /api/v1/pods?watch=true`. */
  readonly requests: readonly string[];
  /** Asked before each request; what it gives is the answer. */
  intercept: ((request: ApiRequest) => ApiResponse | StatusError | undefined) | undefined;
  /** Ends all watches, as a restarting server does. */
  endWatches(): void;
  /** Forgets the past: watches from before now are answered with 410. */
  compact(): void;
}

interface Target {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

interface Past {
  readonly type: WatchEventType;
  readonly resource: Resource;
  readonly object: KubeObject;
}

/** Serves these resources. */
export function createFakeApi(resources: readonly Resource[]): FakeApi {
  return new Fake(resources);
}

class Fake implements FakeApi {
  intercept: FakeApi["intercept"];
  readonly requests: string[] = [];
  readonly #resources: readonly Resource[];
  readonly #objects = new Map<string, KubeObject>();
  readonly #watches = new Set<{ readonly target: Target; readonly stream: EventStream }>();
  #past: Past[] = [];
  #compacted = 0;
  #revision = 1;

  constructor(resources: readonly Resource[]) {
    this.#resources = resources;
  }

  get revision(): number {
    return this.#revision;
  }

  async handle(request: ApiRequest): Promise<ApiResponse> {
    this.requests.push(`${request.method} ${request.path}${request.query.size > 0 ? `?${request.query}` : ""}`);
    try {
      const intercepted = this.intercept?.(request);
      if (intercepted instanceof StatusError) throw intercepted;
      return intercepted ?? this.#answer(request, this.#target(request.path));
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return { status: error.code, headers: {}, body: { kind: "object", object: deepFreeze(error.status) } };
    }
  }

  #target(path: string): Target {
    const parts =
      /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+)(?=\/(?!status$|finalize$)[^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
        path,
      );
    const [, group = "", version, namespace, plural, name, subresource] = parts ?? [];
    const resource = this.#resources.find((other) => other.group === group && other.version === version && other.plural === plural);
    if (resource === undefined) throw noPathError();
    return { resource, namespace, name, subresource };
  }

  #answer(request: ApiRequest, target: Target): ApiResponse {
    switch (request.method) {
      case "GET":
        if (target.name !== undefined) return object(200, this.#existing(target));
        return request.query.get("watch") === "true" ? this.#watch(request, target) : this.#list(target);
      case "POST":
        return object(201, this.#create(target, bodyOf(request)));
      case "PUT":
        return object(200, this.#update(target, bodyOf(request)));
      case "PATCH":
        return object(200, this.#store(target, "MODIFIED", mergePatch(this.#existing(target), bodyOf(request)) as KubeObject));
      case "DELETE":
        return object(200, this.#delete(target));
      default:
        throw badRequestError(`the fake knows no ${request.method}`);
    }
  }

  #existing(target: Target): KubeObject {
    const found = this.#objects.get(keyOf(target));
    if (found === undefined) throw notFoundError(target.resource, target.name ?? "");
    return found;
  }

  #create(target: Target, body: KubeObject): KubeObject {
    const own = { ...target, name: body.metadata.name ?? `${body.metadata.generateName}${this.#revision}` };
    if (this.#objects.has(keyOf(own))) throw alreadyExistsError(own.resource, own.name);
    const namespace = own.namespace === undefined ? {} : { namespace: own.namespace };
    return this.#store(own, "ADDED", {
      ...body,
      metadata: { ...body.metadata, name: own.name, ...namespace, uid: `uid-${this.#revision}` },
    });
  }

  #update(target: Target, body: KubeObject): KubeObject {
    const old = this.#existing(target);
    const expected = body.metadata.resourceVersion;
    if (expected !== undefined && expected !== old.metadata.resourceVersion) throw modifiedError(target.resource, target.name ?? "");
    return this.#store(target, "MODIFIED", body);
  }

  #delete(target: Target): KubeObject {
    const old = this.#existing(target);
    this.#objects.delete(keyOf(target));
    return this.#tell(target, "DELETED", old);
  }

  #store(target: Target, type: WatchEventType, body: KubeObject): KubeObject {
    const stored = this.#tell(target, type, body);
    this.#objects.set(keyOf(target), stored);
    return stored;
  }

  #tell(target: Target, type: WatchEventType, body: KubeObject): KubeObject {
    const copy = structuredClone({ ...body, metadata: { ...body.metadata, resourceVersion: String(++this.#revision) } });
    const past: Past = { type, resource: target.resource, object: deepFreeze(copy) };
    this.#past.push(past);
    for (const watch of this.#watches) if (concerns(watch.target, past)) watch.stream.push(streamed(past));
    return past.object;
  }

  #present(target: Target): KubeObject[] {
    const prefix = keyOf({ ...target, name: "" });
    const keys = [...this.#objects.keys()].filter((key) =>
      target.namespace === undefined ? key.startsWith(`${target.resource.plural}/`) : key.startsWith(prefix),
    );
    return keys.sort().map((key) => this.#objects.get(key) as KubeObject);
  }

  #list(target: Target): ApiResponse {
    return object(200, {
      kind: `${target.resource.kind}List`,
      apiVersion: "v1",
      metadata: { resourceVersion: String(this.#revision) },
      items: this.#present(target),
    });
  }

  #watch({ query, signal }: ApiRequest, target: Target): ApiResponse {
    const after = Number(query.get("resourceVersion") ?? "0");
    const initial = query.get("sendInitialEvents") === "true";
    if (!initial && after > 0 && after < this.#compacted) throw goneError(`too old resource version: ${after} (${this.#compacted})`);
    const stream = new EventStream(() => void this.#watches.delete(watch), signal);
    const watch = { target, stream };
    const events = initial
      ? this.#initial(target)
      : this.#past.filter((past) => after > 0 && revisionOf(past) > after && concerns(target, past)).map(streamed);
    for (const event of events) stream.push(event);
    this.#watches.add(watch);
    return { status: 200, headers: {}, body: { kind: "watch", stream } };
  }

  #initial(target: Target): StreamedEvent[] {
    const end = { metadata: { resourceVersion: String(this.#revision), annotations: { "k8s.io/initial-events-end": "true" } } };
    return [
      ...this.#present(target).map((one) => streamed({ type: "ADDED", resource: target.resource, object: one })),
      streamed({ type: "BOOKMARK", resource: target.resource, object: deepFreeze(end) }),
    ];
  }

  endWatches(): void {
    for (const { stream } of this.#watches) stream.close();
  }

  compact(): void {
    this.#past = [];
    this.#compacted = this.#revision;
  }
}

const keyOf = ({ resource, namespace, name }: Target): string => `${resource.plural}/${namespace ?? ""}/${name}`;

const revisionOf = (past: Past): number => Number(past.object.metadata.resourceVersion);

function concerns({ resource, namespace }: Target, past: Past): boolean {
  return past.resource === resource && (namespace === undefined || past.object.metadata.namespace === namespace);
}

function streamed({ type, object }: Past): StreamedEvent {
  return { type, object: () => object, bytes: () => Buffer.from(JSON.stringify({ type, object })) };
}

function object(status: number, value: object): ApiResponse {
  return { status, headers: { "content-type": "application/json" }, body: { kind: "object", object: deepFreeze(value) } };
}

function bodyOf({ body }: ApiRequest): KubeObject {
  if (body === undefined) throw badRequestError("a body is missing");
  return (body instanceof Uint8Array ? JSON.parse(Buffer.from(body).toString("utf8")) : structuredClone(body)) as KubeObject;
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === "object" && target !== null && !Array.isArray(target) ? target : {};
  const changed = Object.entries(patch).map(([name, value]) => [name, mergePatch((base as Record<string, unknown>)[name], value)] as const);
  return Object.fromEntries([...Object.entries(base), ...changed].filter(([, value]) => value !== null));
}
