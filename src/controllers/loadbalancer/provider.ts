/**
 * Who makes load balancers: the controller asks, a provider has or gets the addresses. As upstream's cloud provider interface
 * (`staging/src/k8s.io/cloud-provider/cloud.go` LoadBalancer), with waiting as a value of its own.
 */
import type { LoadBalancerIngress, Service } from "../../api/types.ts";

export type Ensured =
  /** Where clients find it; each entry has an `ip` (with `ipMode`) or a `hostname`. */
  | { readonly kind: "ready"; readonly ingress: readonly LoadBalancerIngress[] }
  /** It cannot be had now. `message` is for people; the provider says `again` when that may have changed. */
  | { readonly kind: "pending"; readonly message: string };

export interface LoadBalancerProvider {
  readonly name: string;
  /** Values of `spec.loadBalancerClass` that it serves; "" stands for Services that name none. */
  readonly classes: readonly string[];
  /** Services that had addresses before this program started, oldest first: they keep them. Called once, before anything else. */
  adopt(services: readonly Service[]): void;
  /**
   * Makes the Service's load balancer as its spec and `nodes` (the names of those that may take traffic) say, or finds it so.
   * Idempotent. Throws when it should be tried again.
   */
  ensure(service: Service, nodes: readonly string[]): Promise<Ensured>;
  /** The nodes have changed and the Service has not. Absent: it does not care. */
  update?(service: Service, nodes: readonly string[]): Promise<void>;
  /** Takes it down; nothing happens when there is none. `key`: `namespace/name`. Throws when it should be tried again. */
  delete(key: string): Promise<void>;
  /** Keys of Services that wait and may now get what they want, once each. */
  takeReleased(): readonly string[];
}
