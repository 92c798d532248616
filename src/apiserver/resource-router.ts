/** From a request for a resource to the verb or subresource that answers it. */
import type { ApiRequest, ApiResponse } from "../api/request.ts";
import { badRequestError, methodNotAllowedError, noPathError } from "../api/status.ts";
import type { Clock } from "../lib/clock.ts";
import type { Authorizer } from "./auth/authorizer.ts";
import { subresourceShapes, verbsOf, type Subresource } from "./discovery/resources.ts";
import type { ResourceRequest } from "./request-info.ts";
import type { Registry, UpdateScope } from "./registry/registry.ts";
import { answerReview, reviewOf } from "./reviews/index.ts";
import type { TokenReviewer } from "./reviews/token-review.ts";
import { binding } from "./subresources/binding.ts";
import { eviction } from "./subresources/eviction.ts";
import { finalize } from "./subresources/finalize.ts";
import { log } from "./subresources/log.ts";
import type { NodeAgentLookup } from "./subresources/pod-target.ts";
import { approval, ephemeralContainers, resize } from "./subresources/parts.ts";
import { proxy, type ProxyOptions } from "./subresources/proxy.ts";
import { scale } from "./subresources/scale.ts";
import { token, type TokenIssuer } from "./subresources/token.ts";
import { answerMetrics, metricsKindOf } from "./usage/metrics.ts";
import type { VerbCall } from "./verbs/call.ts";
import { create } from "./verbs/create.ts";
import { deleteCollection } from "./verbs/delete-collection.ts";
import { remove } from "./verbs/delete.ts";
import { get } from "./verbs/get.ts";
import { list } from "./verbs/list.ts";
import { patch } from "./verbs/patch.ts";
import { update } from "./verbs/update.ts";
import { watch } from "./verbs/watch.ts";

export interface ResourceRouterOptions {
  /** The registry of a group, version and plural. */
  readonly registryOf: (group: string, version: string, plural: string) => Registry | undefined;
  readonly nodeAgent: NodeAgentLookup;
  readonly proxy: ProxyOptions;
  readonly authorizer: Authorizer;
  readonly tokenReviewer: TokenReviewer;
  /** Absent: no tokens of ServiceAccounts are issued. */
  readonly tokenIssuer?: TokenIssuer;
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
}

export class ResourceRouter {
  readonly #options: ResourceRouterOptions;

  constructor(options: ResourceRouterOptions) {
    this.#options = options;
  }

  /** The registry of what the request is about. Throws 404 where nothing is served. */
  registry(info: ResourceRequest): Registry {
    const registry = this.#options.registryOf(info.group, info.version, info.plural);
    if (registry === undefined || (info.rest.length > 0 && info.subresource !== "proxy")) throw noPathError();
    const { namespaced } = registry.kind.resource;
    const needsNamespace = namespaced && info.name !== undefined;
    if ((info.namespace !== undefined && !namespaced) || (info.namespace === undefined && needsNamespace)) throw noPathError();
    return registry;
  }

  /** What every answer about this kind warns of. */
  deprecation({ group, version, plural }: ResourceRequest): string | undefined {
    return this.#options.registryOf(group, version, plural)?.kind.deprecation;
  }

  async answer(request: ApiRequest, info: ResourceRequest): Promise<ApiResponse> {
    const { clock, random, authorizer, tokenReviewer } = this.#options;
    const review = reviewOf(info);
    if (review !== undefined) return answerReview(review, request, info, { authorizer, tokens: tokenReviewer });
    const metrics = metricsKindOf(info);
    if (metrics !== undefined) {
      const {
        nodeAgent,
        proxy: { store },
      } = this.#options;
      return answerMetrics(metrics, request, info, { store, nodeAgent, clock });
    }
    const registry = this.registry(info);
    const call: VerbCall = { request, info, registry, authorizer, clock, random };
    return info.subresource === undefined ? verb(call) : this.#subresource(call, info.subresource);
  }

  #subresource(call: VerbCall, name: string): Promise<ApiResponse> {
    const { kind } = call.registry;
    const subresource = kind.subresources.find((one) => one === name);
    if (subresource === undefined) throw noPathError();
    checkVerb(call, subresource);
    switch (subresource) {
      case "status":
        return scoped(call, "status");
      case "scale":
        return scale(call);
      case "log":
        return log(call, this.#options.nodeAgent);
      case "binding":
        return binding(call);
      case "eviction":
        return eviction(call, this.#options.proxy.store);
      case "finalize":
        return finalize(call);
      case "exec":
      case "attach":
      case "portforward":
        throw badRequestError("Upgrade request required");
      case "proxy":
        return proxy(call.request, call.info, this.#options.proxy);
      case "approval":
        return scoped(call, approval);
      case "ephemeralcontainers":
        return scoped(call, ephemeralContainers);
      case "resize":
        return scoped(call, resize);
      case "token":
        return token(call, this.#options.tokenIssuer);
      default:
        return subresource satisfies never;
    }
  }
}

function checkVerb({ registry, info }: VerbCall, subresource: Subresource): void {
  const allowed = subresource === "finalize" ? [...subresourceShapes.finalize.verbs, "create"] : subresourceShapes[subresource].verbs;
  if (!allowed.includes(info.verb)) throw methodNotAllowedError(registry.kind.resource, info.verb);
}

function verb(call: VerbCall): Promise<ApiResponse> {
  const { registry, info } = call;
  if (!verbsOf(registry.kind).includes(info.verb)) throw methodNotAllowedError(registry.kind.resource, info.verb);
  switch (info.verb) {
    case "get":
      return get(call);
    case "list":
      return list(call);
    case "watch":
      return watch(call);
    case "create":
      return create(call);
    case "update":
      return update(call);
    case "patch":
      return patch(call);
    case "delete":
      return remove(call);
    case "deletecollection":
      return deleteCollection(call);
    default:
      return info.verb satisfies never;
  }
}

/** Read as the whole object, written in part. */
function scoped(call: VerbCall, scope: UpdateScope): Promise<ApiResponse> {
  switch (call.info.verb) {
    case "update":
      return update(call, scope);
    case "patch":
      return patch(call, scope);
    default:
      return get(call);
  }
}
