/**
 * Writes down who asked for what and what became of it, as `audit.k8s.io/v1` Events in JSON, one a line (apiserver `pkg/audit`). What a
 * policy leaves out costs one look at its rules.
 */
import { randomUUID } from "node:crypto";
import type { KubeObject } from "../../api/object.ts";
import type { ApiRequest, ApiResponse, UserInfo } from "../../api/request.ts";
import type { Status } from "../../api/types.ts";
import type { Clock } from "../../lib/clock.ts";
import { readBody } from "../encode/body.ts";
import type { RequestInfo } from "../request-info.ts";
import { shownUser } from "../reviews/review.ts";
import { auditDecision, type AuditDecision, type AuditPolicy, type AuditStage } from "./policy.ts";

export interface AuditOptions {
  readonly policy: AuditPolicy;
  /** Takes a line without its newline. Never throws, never waits. */
  readonly write: (line: string) => void;
}

export interface Auditor {
  /** Undefined: this request is not written down. */
  begin(request: ApiRequest, info: RequestInfo): Audit | undefined;
}

/** The audit of one request. */
export interface Audit {
  /** Goes out as `Audit-Id`. */
  readonly id: string;
  /** The user for whom the request is answered, where it is another one. */
  impersonated(user: UserInfo): void;
  /** What authorization said. */
  decided(allowed: boolean, reason: string): void;
  /** When the answer is known; the answer of a watch only begins. */
  answered(response: ApiResponse): Promise<void>;
}

export function createAuditor({ policy, write }: AuditOptions, clock: Pick<Clock, "now">): Auditor {
  return {
    begin(request, info) {
      const decision = auditDecision(policy, request.user, info);
      return decision.level === "None" ? undefined : new RequestAudit(request, info, decision, write, clock);
    },
  };
}

class RequestAudit implements Audit {
  readonly id: string;
  readonly #request: ApiRequest;
  readonly #info: RequestInfo;
  readonly #decision: AuditDecision;
  readonly #write: (line: string) => void;
  readonly #clock: Pick<Clock, "now">;
  readonly #received: string;
  #impersonated: UserInfo | undefined;
  readonly #annotations: Record<string, string> = {};

  constructor(request: ApiRequest, info: RequestInfo, decision: AuditDecision, write: (line: string) => void, clock: Pick<Clock, "now">) {
    this.#request = request;
    this.#info = info;
    this.#decision = decision;
    this.#write = write;
    this.#clock = clock;
    this.#received = micro(clock.now());
    this.id = idOf(request);
    this.#tell("RequestReceived", {});
  }

  impersonated(user: UserInfo): void {
    this.#impersonated = user;
  }

  decided(allowed: boolean, reason: string): void {
    this.#annotations["authorization.k8s.io/decision"] = allowed ? "allow" : "forbid";
    this.#annotations["authorization.k8s.io/reason"] = reason;
  }

  async answered(response: ApiResponse): Promise<void> {
    const { level } = this.#decision;
    const requestObject = level === "Metadata" ? undefined : await requestObjectOf(this.#request);
    const responseObject = level === "RequestResponse" && response.body.kind === "object" ? response.body.object : undefined;
    this.#tell(response.body.kind === "watch" ? "ResponseStarted" : "ResponseComplete", {
      responseStatus: statusOf(response),
      ...(requestObject === undefined ? {} : { requestObject: this.#shown(requestObject) }),
      ...(responseObject === undefined ? {} : { responseObject: this.#shown(responseObject) }),
    });
  }

  #shown(object: object): object {
    const { metadata } = object as Partial<KubeObject>;
    if (!this.#decision.omitManagedFields || metadata?.managedFields === undefined) return object;
    const { managedFields: _, ...rest } = metadata;
    return { ...object, metadata: rest };
  }

  #tell(stage: AuditStage, more: object): void {
    if (this.#decision.omitStages.has(stage)) return;
    const { path, query, target, headers, user, source } = this.#request;
    const text = query.toString();
    const event = {
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: this.#decision.level,
      auditID: this.id,
      stage,
      requestURI: target ?? (text === "" ? path : `${path}?${text}`),
      verb: this.#info.verb,
      user: shownUser(user),
      ...(this.#impersonated === undefined ? {} : { impersonatedUser: shownUser(this.#impersonated) }),
      ...(source === undefined ? {} : { sourceIPs: [source] }),
      ...(headers["user-agent"] === undefined ? {} : { userAgent: headers["user-agent"].slice(0, 1024) }),
      ...(this.#info.kind === "resource" ? { objectRef: objectRefOf(this.#info) } : {}),
      ...more,
      requestReceivedTimestamp: this.#received,
      stageTimestamp: micro(this.#clock.now()),
      ...(Object.keys(this.#annotations).length === 0 ? {} : { annotations: { ...this.#annotations } }),
    };
    this.#write(JSON.stringify(event));
  }
}

/** RFC 3339 with microseconds, as `MicroTime` is written. */
const micro = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 23)}000Z`;

/** A client may bring one, to find its request again. */
function idOf({ headers }: ApiRequest): string {
  const given = headers["audit-id"] ?? "";
  return /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}

function objectRefOf({ group, version, plural, namespace, name, subresource }: Extract<RequestInfo, { kind: "resource" }>): object {
  return {
    resource: plural,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(group === "" ? {} : { apiGroup: group }),
    apiVersion: version,
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function statusOf({ status: code, body }: ApiResponse): object {
  const { kind, status, message, reason } = (body.kind === "object" && code >= 400 ? body.object : {}) as Partial<Status> & {
    kind?: string;
  };
  return { metadata: {}, ...(kind === "Status" ? { status, message, reason } : {}), code };
}

/** What cannot be read was answered with an error that says so. */
async function requestObjectOf(request: ApiRequest): Promise<object | undefined> {
  if (request.body === undefined || request.method === "GET") return undefined;
  if (!(request.body instanceof Uint8Array)) return request.body;
  const type = request.headers["content-type"] ?? "";
  const as = /patch\+json/.test(type) ? "application/json" : /apply-patch\+yaml/.test(type) ? "application/yaml" : undefined;
  try {
    const headers = as === undefined ? request.headers : { ...request.headers, "content-type": as };
    const value = await readBody({ ...request, headers }, "an object");
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
