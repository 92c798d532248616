/** The API's verbs as requests over a transport. */
import type { KubeList, KubeObject } from "../api/object.ts";
import type { ApiResponse, WatchEvent } from "../api/request.ts";
import { apiVersionOf, resourcePath, type Resource } from "../api/resources.ts";
import { StatusError } from "../api/status.ts";
import type { Status } from "../api/types.ts";
import { readBytes, readEvents, readJson, readText } from "./body.ts";
import type { Client, DeleteOptions, ListOptions, ObjectRef, PatchType, WatchOptions, WriteOptions } from "./client.ts";
import type { Transport, TransportRequest } from "./transport.ts";
import { warningTexts } from "./warnings.ts";

export interface ClientOptions {
  /** Who writes, as `metadata.managedFields` names it. */
  readonly fieldManager: string;
}

export function createClient(transport: Transport, options: ClientOptions): Client {
  return new RestClient(transport, options);
}

const json = { "content-type": "application/json", accept: "application/json" };

class RestClient implements Client {
  readonly #transport: Transport;
  readonly #fieldManager: string;

  constructor(transport: Transport, options: ClientOptions) {
    this.#transport = transport;
    this.#fieldManager = options.fieldManager;
  }

  async get<T extends KubeObject>(resource: Resource<T>, { namespace, name }: ObjectRef): Promise<T> {
    return (await this.#json({ method: "GET", path: resourcePath(resource, namespace, name) })) as T;
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<KubeList<T>> {
    const { namespace, signal, ...parameters } = options;
    const list = await this.#json({ method: "GET", path: resourcePath(resource, namespace), query: query(parameters), signal });
    return withTypes(resource, list as KubeList<T>);
  }

  async *watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions = {}): AsyncGenerator<WatchEvent<T>> {
    const { namespace, signal, ...parameters } = options;
    // The API demands this match wherever the initial events are asked for or refused.
    const match = parameters.sendInitialEvents === undefined ? {} : { resourceVersionMatch: "NotOlderThan" };
    try {
      const request = {
        method: "GET" as const,
        path: resourcePath(resource, namespace),
        query: query({ watch: true, ...parameters, ...match }),
        signal,
      };
      for await (const event of readEvents<T>((await this.#send(request)).body)) {
        if (event.type === "ERROR") throw new StatusError(event.object as unknown as Status);
        yield event;
      }
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  async create<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata;
    const path =
      options.subresource === undefined ? resourcePath(resource, namespace) : resourcePath(resource, namespace, name, options.subresource);
    return this.#write("POST", path, named(resource, object), options);
  }

  async update<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = resourcePath(resource, object.metadata.namespace, object.metadata.name ?? "", options.subresource);
    return this.#write("PUT", path, named(resource, object), options);
  }

  async updateStatus<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    return this.update(resource, object, { ...options, subresource: "status" });
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    { namespace, name }: ObjectRef,
    type: PatchType,
    patch: unknown,
    options: WriteOptions & { readonly force?: boolean } = {},
  ): Promise<T> {
    const path = resourcePath(resource, namespace, name, options.subresource);
    return this.#write("PATCH", path, patch as object, options, type);
  }

  async delete<T extends KubeObject>(resource: Resource<T>, { namespace, name }: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const body = { kind: "DeleteOptions", apiVersion: "v1", ...options };
    await this.#json({ method: "DELETE", path: resourcePath(resource, namespace, name), headers: json, body });
  }

  async post<T extends KubeObject>(
    resource: Resource<T>,
    { namespace, name }: ObjectRef,
    subresource: string,
    body: object,
  ): Promise<object> {
    const path = resourcePath(resource, namespace, name, subresource);
    return (await this.#json({ method: "POST", path, query: query({ fieldManager: this.#fieldManager }), headers: json, body })) as object;
  }

  async raw(path: string): Promise<unknown> {
    const response = await this.#send({ method: "GET", ...split(path) });
    const type = response.headers["content-type"];
    const isJson = response.body.kind === "object" || (typeof type === "string" && /\bjson\b/.test(type));
    return isJson ? readJson(response.body) : readText(response.body);
  }

  async *stream(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      yield* readBytes((await this.#send({ method: "GET", ...split(path), signal })).body);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  async #write<T>(
    method: "POST" | "PUT" | "PATCH",
    path: string,
    body: object,
    options: WriteOptions & { readonly force?: boolean },
    type?: PatchType,
  ): Promise<T> {
    const parameters = query({
      fieldManager: options.fieldManager ?? this.#fieldManager,
      fieldValidation: options.fieldValidation,
      dryRun: options.dryRun === true ? "All" : undefined,
      force: options.force,
    });
    const headers = type === undefined ? json : { ...json, "content-type": type };
    const response = await this.#send({ method, path, query: parameters, headers, body });
    if (options.onWarning !== undefined) warningTexts(response.headers["warning"]).forEach(options.onWarning);
    return (await readJson(response.body)) as T;
  }

  async #json(request: TransportRequest): Promise<unknown> {
    return readJson((await this.#send(request)).body);
  }

  /** A refusal is thrown. */
  async #send(request: TransportRequest): Promise<ApiResponse> {
    const response = await this.#transport.send({ headers: { accept: "application/json" }, ...request });
    if (response.status >= 300) throw await refusal(response);
    return response;
  }
}

function query(parameters: Readonly<Record<string, string | number | boolean | undefined>>): URLSearchParams {
  return new URLSearchParams(Object.entries(parameters).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}

function split(path: string): { readonly path: string; readonly query: URLSearchParams } {
  const [before, after] = path.split("?", 2) as [string, string | undefined];
  return { path: before, query: new URLSearchParams(after) };
}

/** With apiVersion and kind, which typed code leaves out and the API wants. */
function named<T extends KubeObject>(resource: Resource<T>, object: T): T {
  if (object.kind !== undefined && object.apiVersion !== undefined) return object;
  return { ...object, kind: resource.kind, apiVersion: apiVersionOf(resource) };
}

/** The items of a list come without apiVersion and kind from some servers; whoever keeps one alone wants to know what it is. */
function withTypes<T extends KubeObject>(resource: Resource<T>, list: KubeList<T>): KubeList<T> {
  if (list.items.every((item) => item.kind !== undefined)) return list;
  return Object.freeze({ ...list, items: Object.freeze(list.items.map((item) => Object.freeze(named(resource, item)))) });
}

async function refusal({ status, body }: ApiResponse): Promise<StatusError> {
  const text = body.kind === "object" ? undefined : await readText(body);
  const object = body.kind === "object" ? body.object : parsed(text as string);
  if ((object as Status | undefined)?.kind === "Status") return new StatusError(object as Status);
  const message =
    text === undefined || text.trim() === ""
      ? `the server answered ${status}`
      : `the server answered ${status}: ${text.trim().slice(0, 300)}`;
  return new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "Unknown", code: status });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy's or a health check's page: its text is the message.
    return undefined;
  }
}
