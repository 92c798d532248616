import { describe, expect, test } from "vitest";
import type { Node, Service } from "../../api/types.ts";
import { cleanupFinalizer, targetNodes, withFinalizer, withIngress, withoutFinalizer, workFor } from "./reconcile.ts";

const service = (type: string, metadata: Partial<Service["metadata"]> = {}, spec: Partial<NonNullable<Service["spec"]>> = {}): Service => ({
  metadata: { namespace: "shop", name: "web", ...metadata },
  spec: { type, ports: [{ port: 80 }], ...spec },
});
const marked = { finalizers: ["other", cleanupFinalizer] };
const going = { deletionTimestamp: "2026-01-01T00:00:00Z" };
const classes = new Set(["", "fairlead.dev/loopback"]);

test.each([
  ["new", service("LoadBalancer"), { kind: "ensure", className: "", addFinalizer: true }],
  ["known", service("LoadBalancer", marked), { kind: "ensure", className: "", addFinalizer: false }],
  [
    "by class",
    service("LoadBalancer", marked, { loadBalancerClass: "fairlead.dev/loopback" }),
    { kind: "ensure", className: "fairlead.dev/loopback", addFinalizer: false },
  ],
  ["of another implementation", service("LoadBalancer", {}, { loadBalancerClass: "example.com/cloud" }), { kind: "ignore" }],
  [
    "of another implementation, going",
    service("LoadBalancer", { ...marked, ...going }, { loadBalancerClass: "example.com/cloud" }),
    { kind: "ignore" },
  ],
  ["going", service("LoadBalancer", { ...marked, ...going }), { kind: "cleanup" }],
  ["going, cleaned up", service("LoadBalancer", going), { kind: "ignore" }],
  ["of another type by now", service("ClusterIP", marked), { kind: "cleanup" }],
  ["never was one", service("NodePort"), { kind: "ignore" }],
])("a Service %s", (_, given, work) => expect(workFor(given, classes)).toEqual(work));

test("the finalizer comes and goes beside those of others", () => {
  const before = service("LoadBalancer", { finalizers: ["other"] });
  expect(withFinalizer(before).metadata.finalizers).toEqual(["other", cleanupFinalizer]);
  expect(withoutFinalizer(withFinalizer(before))).toEqual(before);
});

describe("the status", () => {
  const ingress = [{ ip: "127.97.128.1", ipMode: "Proxy" }];
  test("is written when it differs, and keeps what else is in it", () => {
    const conditions = [{ type: "x", status: "True", reason: "r", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }];
    const old = { ...service("LoadBalancer"), status: { conditions, loadBalancer: {} } };
    expect(withIngress(old, ingress)?.status).toEqual({ conditions, loadBalancer: { ingress } });
    expect(withIngress({ ...old, status: { loadBalancer: { ingress } } }, ingress)).toBeUndefined();
    expect(withIngress({ ...old, status: { loadBalancer: { ingress } } }, [])?.status).toEqual({ loadBalancer: {} });
    expect(withIngress(old, [])).toBeUndefined();
  });
});

test("load balancers send to every node but those excluded or going", () => {
  const node = (name: string, more: Partial<Node["metadata"]> = {}): Node => ({ metadata: { name, ...more } });
  const excluded = { labels: { "node.kubernetes.io/exclude-from-external-load-balancers": "" } };
  expect(targetNodes([node("b"), node("a"), node("c", excluded), node("d", going)])).toEqual(["a", "b"]);
});
