/**
 * Clients that lose the API server, and watches that lag. It stands before the server, so it is the same for parts of the
 * cluster and for programs that come over HTTPS.
 */
import type { ApiHandler, ApiRequest, ApiResponse } from "../../api/request.ts";
import { failed } from "../../apiserver/handler.ts";
import { unavailableError } from "../../api/status.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Rest } from "../rest.ts";
import { createFault, type Fault } from "./fault.ts";
import { GatedStream } from "./gated-stream.ts";

/** Who makes a request. */
export interface ApiClient {
  /** As authentication or impersonation says: `system:node:node-1`, `system:kube-controller-manager`. */
  readonly user: string;
  readonly userAgent: string;
  /** Over HTTPS: a program outside, not a part of the cluster. */
  readonly remote: boolean;
}

/** A user's name; `remote`: who comes over HTTPS; `cluster`: the cluster's own parts; or a function that says. */
export type From = string | ((client: ApiClient) => boolean);

export interface Partition {
  /** Who is cut off. Default: everybody but the test's own client. */
  readonly from?: From;
  /** `fail` (default): requests are answered 503 and watches end. `hang`: nothing comes back until the fault ends; then everything does. */
  readonly how?: "fail" | "hang";
}

export interface SlowWatch {
  readonly from?: From;
  /** `endpointslices`, `pods`; default every resource. */
  readonly resource?: string;
  /** How much later events come, in ms of the cluster's clock. Default: not before the fault ends. */
  readonly delay?: number;
}

export interface ApiFaults {
  partition(fault: Partition): Fault;
  slowWatch(fault: SlowWatch): Fault;
  /** For the cluster: before its API server. */
  around(handler: ApiHandler): ApiHandler;
}

interface Active {
  readonly kind: "fail" | "hang" | "slow";
  readonly applies: (request: ApiRequest) => boolean;
  readonly delay: number | undefined;
  readonly over: Promise<void>;
}

export interface ApiFaultsOptions {
  readonly clock: Clock;
  readonly rest: Rest;
  /** The name of the test's own client. */
  readonly ownUser: string;
}

export function createApiFaults(options: ApiFaultsOptions): ApiFaults {
  return new Gatekeeper(options);
}

class Gatekeeper implements ApiFaults {
  readonly #options: ApiFaultsOptions;
  readonly #active = new Set<Active>();
  readonly #streams = new Map<GatedStream, ApiRequest>();

  constructor(options: ApiFaultsOptions) {
    this.#options = options;
  }

  partition({ from, how = "fail" }: Partition): Fault {
    const fault = this.#add(how, this.#clients(from), undefined);
    if (how === "fail") for (const [stream, request] of this.#streams) if (this.#first("fail", request) !== undefined) stream.cut();
    return fault;
  }

  slowWatch({ from, resource, delay }: SlowWatch): Fault {
    const isClient = this.#clients(from);
    return this.#add("slow", (request) => isClient(request) && (resource === undefined || resourceOf(request) === resource), delay);
  }

  around(handler: ApiHandler): ApiHandler {
    return {
      handle: async (request) => {
        if (this.#first("fail", request) !== undefined) return failed(unavailableError("a test has cut this client off"));
        await this.#passed(request);
        if (request.signal?.aborted === true) return failed(unavailableError("the client gave up"));
        return this.#gated(await this.#options.rest.track(handler.handle(request)), request);
      },
    };
  }

  #add(kind: Active["kind"], applies: Active["applies"], delay: number | undefined): Fault {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const entry: Active = { kind, applies, delay, over };
    this.#active.add(entry);
    return createFault(() => {
      this.#active.delete(entry);
      resolve();
    });
  }

  #first(kind: Active["kind"], request: ApiRequest): Active | undefined {
    return [...this.#active].find((fault) => fault.kind === kind && fault.applies(request));
  }

  /** Until no fault holds it up, or the client has gone. */
  async #passed(request: ApiRequest): Promise<void> {
    for (let fault = this.#first("hang", request); fault !== undefined; fault = this.#first("hang", request)) {
      if (request.signal?.aborted === true) return;
      await Promise.race([fault.over, gone(request.signal)]);
    }
  }

  #gated(response: ApiResponse, request: ApiRequest): ApiResponse {
    if (response.body.kind !== "watch") return response;
    const stream = new GatedStream(response.body.stream, {
      clock: this.#options.clock,
      hold: () => this.#first("hang", request) ?? this.#first("slow", request),
      ended: () => this.#streams.delete(stream),
    });
    this.#streams.set(stream, request);
    // A watch that was being opened when the fault came.
    if (this.#first("fail", request) !== undefined) stream.cut();
    return { ...response, body: { kind: "watch", stream } };
  }

  #clients(from: From | undefined): (request: ApiRequest) => boolean {
    if (typeof from === "function") return (request) => from(clientOf(request));
    if (from === "remote") return (request) => clientOf(request).remote;
    const isOwn = ({ user, remote }: ApiClient) => user === this.#options.ownUser && !remote;
    if (from === "cluster") return (request) => !clientOf(request).remote && !isOwn(clientOf(request));
    if (from === undefined) return (request) => !isOwn(clientOf(request));
    return (request) => clientOf(request).user === from;
  }
}

function clientOf({ user, headers, source }: ApiRequest): ApiClient {
  return { user: headers["impersonate-user"] ?? user.name, userAgent: headers["user-agent"] ?? "", remote: source !== undefined };
}

/** `/api/v1/namespaces/NS/pods`, `/apis/GROUP/VERSION/endpointslices` */
function resourceOf({ path }: ApiRequest): string | undefined {
  const parts = path.split("/").filter(Boolean);
  const rest = parts.slice(parts[0] === "api" ? 2 : 3);
  return rest[0] === "namespaces" && rest.length > 2 ? rest[2] : rest[0];
}

function gone(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));
}
