/**
 * Every request passes here, whichever way it came: authorization, then health, documents or a resource. Whatever goes
 * wrong becomes a Status; the caller never sees an exception.
 */
import type { ApiHandler, ApiRequest, ApiResponse } from "../api/request.ts";
import { internalError, noPathError, StatusError, unavailableError } from "../api/status.ts";
import type { Clock } from "../lib/clock.ts";
import { errorMessage, FairleadError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { Auditor } from "./audit/auditor.ts";
import { authorize, type Authorizer } from "./auth/authorizer.ts";
import { impersonated } from "./auth/impersonation.ts";
import { isOpenIdPath, type Tokens } from "./auth/token-authenticator.ts";
import type { Documents } from "./documents.ts";
import { representation } from "./encode/accept.ts";
import { protobufType } from "./encode/protobuf-plan.ts";
import { answer, respond } from "./encode/respond.ts";
import { snapshotPath } from "./snapshot.ts";
import { health, isHealthPath, type HealthChecks } from "./health.ts";
import { longWork } from "./long-work.ts";
import { requestMetrics, type RequestMetrics } from "./request-metrics.ts";
import { requestInfo, type PathRequest, type RequestInfo } from "./request-info.ts";
import type { ResourceRouter } from "./resource-router.ts";
import { versionInfo, type ServerVersion } from "./version.ts";

/** What a path shows beside the API, as an object for JSON, or as lines that come as they are made; undefined: nothing now. */
export type DebugPage = (query: URLSearchParams) => object | undefined | Promise<object | undefined>;

export interface HandlerOptions {
  readonly authorizer: Authorizer;
  readonly router: ResourceRouter;
  readonly documents: Documents;
  readonly tokens: Tokens;
  /** `127.0.0.1:6443`; empty until it listens. */
  readonly address: () => string;
  readonly version: ServerVersion;
  /** Absent: nothing is written down. */
  readonly auditor?: Auditor | undefined;
  readonly health: () => HealthChecks;
  /** Path → an object for JSON. */
  readonly pages: ReadonlyMap<string, DebugPage>;
  /** Everything that is stored, as a file. */
  readonly snapshot: () => AsyncIterable<Uint8Array>;
  /** What fails from then on is nobody's fault. */
  readonly stopping: () => boolean;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Handler implements ApiHandler {
  readonly #options: HandlerOptions;
  readonly #metrics: RequestMetrics;

  constructor(options: HandlerOptions) {
    this.#options = options;
    this.#metrics = requestMetrics(options.metrics);
  }

  async handle(received: ApiRequest): Promise<ApiResponse> {
    const { clock, log, authorizer } = this.#options;
    // In process a chain of requests is microtasks from end to end, and a thousand requests may come in at once: others have their turns.
    if (longWork.isOver) await longWork.next();
    const began = clock.monotonic();
    const info = requestInfo(received);
    const audit = this.#options.auditor?.begin(received, info);
    let request = received;
    let response: ApiResponse;
    try {
      const user = impersonated(authorizer, received.user, received.headers);
      if (user !== received.user) {
        request = { ...received, user };
        audit?.impersonated(user);
      }
      audit?.decided(false, "");
      const reason = authorize(authorizer, user, info);
      audit?.decided(true, reason);
      response = await this.#route(request, info);
    } catch (error) {
      response = await refused(this.#statusOf(error, request), request);
    }
    if (audit !== undefined) {
      await audit.answered(response);
      response = { ...response, headers: { ...response.headers, "audit-id": audit.id } };
    }
    response = this.#warned(response, info);
    const seconds = (clock.monotonic() - began) / 1000;
    this.#metrics.observe(info, response.status, seconds);
    log.debug("request", { method: request.method, path: request.path, status: response.status, user: request.user.name, seconds });
    return request.method === "HEAD" ? withoutBody(response) : response;
  }

  #warned(response: ApiResponse, info: RequestInfo): ApiResponse {
    const text = info.kind === "resource" ? this.#options.router.deprecation(info) : undefined;
    if (text === undefined) return response;
    const { warning = [] } = response.headers;
    return { ...response, headers: { ...response.headers, warning: [`299 - "${text}"`, ...[warning].flat()] } };
  }

  async #route(request: ApiRequest, info: RequestInfo): Promise<ApiResponse> {
    return info.kind === "resource" ? this.#options.router.answer(request, info) : this.#path(request, info);
  }

  async #path(request: ApiRequest, { path, verb }: PathRequest): Promise<ApiResponse> {
    const { documents, metrics } = this.#options;
    if (verb === "options")
      return { status: 204, headers: { allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" }, body: { kind: "empty" } };
    if (verb !== "get" && verb !== "head") throw noPathError();
    if (isHealthPath(path)) return found(health(path, request.query, checksOf(path, this.#options.health())));
    if (isOpenIdPath(path)) return this.#openId(path);
    const clean = path.length > 1 ? path.replace(/\/$/, "") : path;
    switch (clean) {
      case "/":
        return respond(200, { paths });
      case "/version":
        return respond(200, versionInfo(this.#options.version));
      case "/metrics":
        return answer(200, { kind: "bytes", bytes: Buffer.from(metrics.text()) }, "text/plain; version=0.0.4; charset=utf-8");
      case snapshotPath:
        return answer(200, { kind: "chunks", chunks: this.#options.snapshot() }, "application/x-ndjson");
      default: {
        const page = await this.#options.pages.get(clean)?.(request.query);
        if (page !== undefined)
          return isStream(page) ? answer(200, { kind: "chunks", chunks: page }, "application/x-ndjson") : respond(200, page);
        return found(await documents.answer({ ...request, path: clean }));
      }
    }
  }

  async #openId(path: string): Promise<ApiResponse> {
    const document = await this.#options.tokens.document(path, this.#options.address());
    if (document === undefined) throw noPathError();
    const response = answer(200, { kind: "object", object: document.object }, document.type);
    return { ...response, headers: { ...response.headers, "cache-control": "public, max-age=3600" } };
  }

  /** An error as the client may see it: without our stack, which goes to the log. */
  #statusOf(error: unknown, request: ApiRequest): StatusError {
    if (error instanceof StatusError) return error;
    const fields = { method: request.method, path: request.path, error: errorMessage(error) };
    if (error instanceof FairleadError) {
      if (this.#options.stopping()) return unavailableError("the server is shutting down");
      this.#options.log.error("request failed", { ...fields, code: error.code });
      return internalError(error.message);
    }
    this.#options.log.error("request failed", { ...fields, stack: error instanceof Error ? error.stack : undefined });
    return internalError("a fault of the server; its log says more");
  }
}

/** A page of many lines comes as it is made. */
function isStream(page: object): page is AsyncIterable<Uint8Array> {
  return Symbol.asyncIterator in page;
}

/** A server that cannot write lives: to start it again would mend nothing. */
function checksOf(path: string, checks: HealthChecks): HealthChecks {
  return path.startsWith("/livez") ? new Map([...checks].filter(([name]) => name !== "storage-writes")) : checks;
}

const paths = [
  "/.well-known/openid-configuration",
  "/api",
  "/apis",
  "/debug/snapshot",
  "/healthz",
  "/livez",
  "/metrics",
  "/openapi/v2",
  "/openapi/v3",
  "/openid/v1/jwks",
  "/readyz",
  "/version",
];

function found(response: ApiResponse | undefined): ApiResponse {
  if (response === undefined) throw noPathError();
  return response;
}

/** A refusal as an answer. */
export function failed({ status }: StatusError): ApiResponse {
  const seconds = status.details?.retryAfterSeconds;
  const headers = { "content-type": "application/json", ...(seconds === undefined ? {} : { "retry-after": String(seconds) }) };
  return { status: status.code ?? 500, headers, body: { kind: "object", object: status } };
}

/** A refusal in the form that the client reads, where it does not read JSON. */
async function refused(error: StatusError, { headers }: ApiRequest): Promise<ApiResponse> {
  const json = failed(error);
  if (headers["accept"]?.includes(protobufType) !== true || representation(headers["accept"]).encoding !== "protobuf") return json;
  const { headers: type, body } = await respond(json.status, error.status, "protobuf");
  return { ...json, headers: { ...json.headers, ...type }, body };
}

function withoutBody(response: ApiResponse): ApiResponse {
  if (response.body.kind === "watch") response.body.stream.close();
  return { ...response, body: { kind: "empty" } };
}
