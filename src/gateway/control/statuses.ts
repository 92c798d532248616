/** The status that each of the Gateway API's objects should have now. */
import type { KubeObject } from "../../api/object.ts";
import {
  condition,
  gatewayStatus,
  listenerSetStatus,
  policyAncestors,
  routeParents,
  stamped,
  type BoundPort,
  type GatewayClass,
  type GatewayFacts,
  type GatewayPlan,
  type ListenerSet,
} from "../../decide/routes/gateway-api/index.ts";
import type { Clock } from "../../lib/clock.ts";
import type { AssignedAddresses } from "./addresses.ts";
import { featuresOf } from "./features.ts";
import type { KindFollower } from "./follow.ts";
import type { GatewayTracker } from "./gateway-tracker.ts";
import type { GatewayKind } from "./resources.ts";
import type { WantedStatus } from "./status-writer.ts";

export interface StatusesOptions {
  readonly clock: Clock;
  readonly controllerName: string;
  readonly kinds: KindFollower;
  readonly tracker: GatewayTracker;
  readonly addresses: (gateway: string) => AssignedAddresses | undefined;
  readonly bound: (gateway: string, portName: string) => BoundPort;
}

export class Statuses {
  readonly #options: StatusesOptions;

  constructor(options: StatusesOptions) {
    this.#options = options;
  }

  /** By `Kind namespace/name`; undefined: nothing is to be written. */
  wanted(key: string): WantedStatus | undefined {
    const [kind, name] = key.split(" ") as [GatewayKind, string];
    const resource = this.#options.kinds.resource(kind);
    const object = this.#options.kinds.get(kind, name);
    if (resource === undefined || object === undefined) return undefined;
    const status = this.#statusOf(kind, name, object);
    return status === undefined ? undefined : { resource, object, status: status as Readonly<Record<string, unknown>> };
  }

  #statusOf(kind: GatewayKind, key: string, object: KubeObject): object | undefined {
    const now = new Date(this.#options.clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    switch (kind) {
      case "GatewayClass":
        return this.#classStatus(object as unknown as GatewayClass, now);
      case "Gateway": {
        const plan = this.#options.tracker.gateway(key);
        return plan === undefined ? undefined : gatewayStatus(plan, this.#facts(key), now);
      }
      case "ListenerSet": {
        const plan = this.#planOfSet(object as unknown as ListenerSet);
        const set = plan?.sets.find((each) => each.key === key);
        return plan === undefined || set === undefined ? undefined : listenerSetStatus(plan, set, this.#facts(plan.key), now);
      }
      case "BackendTLSPolicy": {
        const plan = this.#options.tracker.policy(key);
        if (plan === undefined) return undefined;
        const ancestors = policyAncestors(plan, this.#options.tracker.gatewaysOf(plan.services), this.#options.controllerName, now);
        return ancestors.length === 0 && (plan.policy.status?.ancestors ?? []).length === 0 ? undefined : { ancestors };
      }
      case "ReferenceGrant":
        return undefined;
      default: {
        const plan = this.#options.tracker.route(`${kind} ${key}`);
        if (plan === undefined) return undefined;
        const parents = routeParents(plan, this.#options.controllerName, now);
        return parents.length === 0 && (plan.route.status?.parents ?? []).length === 0 ? undefined : { parents };
      }
    }
  }

  #planOfSet({ spec, metadata }: ListenerSet): GatewayPlan | undefined {
    return this.#options.tracker.gateway(`${spec.parentRef.namespace ?? metadata.namespace}/${spec.parentRef.name}`);
  }

  #facts(key: string): GatewayFacts {
    return {
      addresses: this.#options.addresses(key)?.addresses ?? [],
      unusable: this.#options.addresses(key)?.unusable ?? [],
      bound: (name) => this.#options.bound(key, name),
      attachedRoutes: (id) => this.#options.tracker.attachedRoutes(id),
    };
  }

  #classStatus({ spec, metadata, status }: GatewayClass, now: string): object | undefined {
    if (spec.controllerName !== this.#options.controllerName) return undefined;
    const { parametersRef } = spec;
    const accepted =
      parametersRef === undefined
        ? condition("Accepted", true, "Accepted")
        : condition(
            "Accepted",
            false,
            "InvalidParameters",
            `parametersRef ${parametersRef.kind} ${JSON.stringify(parametersRef.name)}: this controller has no parameters`,
          );
    const { version, channel } = this.#options.kinds.bundle;
    const known = /^v1\.\d+\./.test(version);
    const supported = condition(
      "SupportedVersion",
      known,
      known ? "SupportedVersion" : "UnsupportedVersion",
      known ? "" : `the definitions are of release ${JSON.stringify(version)}; this controller knows 1.x`,
    );
    const conditions = stamped([accepted, supported], status?.conditions, metadata.generation ?? 0, now);
    return { conditions, supportedFeatures: featuresOf(channel) };
  }
}
