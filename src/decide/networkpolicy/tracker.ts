/** Which policies must be planned again after a change of policies, pods or namespaces. A change costs a look at each policy. */
import type { Labels } from "../../api/selectors.ts";
import type { NetworkPolicy } from "../../api/types.ts";
import { asksForNamespaces, concerns, planPolicy, type PolicyPlan } from "./plan.ts";
import { samePolicyPod, type PolicyPod, type PolicyWorld } from "./world.ts";

export interface PolicyChange {
  readonly key: string;
  /** Undefined: the policy is gone. */
  readonly plan: PolicyPlan | undefined;
}

export class PolicyTracker {
  readonly #policies = new Map<string, NetworkPolicy>();
  readonly #pods = new Map<string, PolicyPod>();
  readonly #podsIn = new Map<string, Map<string, PolicyPod>>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #changed = new Set<string>();
  readonly #world: PolicyWorld = {
    pods: () => this.#pods.values(),
    podsIn: (namespace) => this.#podsIn.get(namespace)?.values() ?? [],
    namespaceLabels: (namespace) => this.#namespaces.get(namespace),
  };

  get isPending(): boolean {
    return this.#changed.size > 0;
  }

  setPolicy(key: string, policy: NetworkPolicy | undefined): void {
    if (policy === undefined) this.#policies.delete(key);
    else this.#policies.set(key, policy);
    this.#changed.add(key);
  }

  setPod(key: string, pod: PolicyPod | undefined): void {
    const old = this.#pods.get(key);
    if (samePolicyPod(old, pod)) return;
    this.#mark(old);
    if (pod === undefined) {
      this.#pods.delete(key);
      this.#podsIn.get(old?.namespace ?? "")?.delete(key);
    } else {
      this.#pods.set(key, pod);
      this.#podsIn.set(pod.namespace, (this.#podsIn.get(pod.namespace) ?? new Map<string, PolicyPod>()).set(key, pod));
    }
    this.#mark(pod);
  }

  setNamespace(name: string, labels: Labels | undefined): void {
    const old = this.#namespaces.get(name);
    if (JSON.stringify(old) === JSON.stringify(labels)) return;
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
    for (const [key, policy] of this.#policies) if (asksForNamespaces(policy)) this.#changed.add(key);
  }

  /** Of those that changed, at most so many; the rest is left. */
  take(most = Number.POSITIVE_INFINITY): readonly PolicyChange[] {
    const keys = [...this.#changed].slice(0, most);
    return keys.map((key) => {
      this.#changed.delete(key);
      const policy = this.#policies.get(key);
      return { key, plan: policy === undefined ? undefined : planPolicy(policy, this.#world) };
    });
  }

  /** Everything is to be told again. */
  all(): void {
    for (const key of this.#policies.keys()) this.#changed.add(key);
  }

  #mark(pod: PolicyPod | undefined): void {
    if (pod === undefined) return;
    for (const [key, policy] of this.#policies) if (!this.#changed.has(key) && concerns(policy, pod, this.#world)) this.#changed.add(key);
  }
}
