import { describe, expect, test } from "vitest";
import type { EndpointSlice, Pod, Service } from "../../api/types.ts";
import { selectEndpoints } from "../endpoints/select.ts";
import { sliceParentOfService } from "../endpoints/slice-metadata.ts";
import { reconcileSlices } from "../endpoints/slices.ts";
import { oneNode, testNode, testPod, testService } from "../endpoints/testing.ts";
import { explainService, findings, type Finding, type ServiceSnapshot } from "./service.ts";

function snapshot(service: Service, pods: readonly Pod[], slices = slicesFor(service, pods)): ServiceSnapshot {
  return { services: [service], pods, nodes: [testNode()], endpointSlices: slices };
}

function slicesFor(service: Service, pods: readonly Pod[]): readonly EndpointSlice[] {
  const desired = selectEndpoints(service, pods, oneNode).endpoints.map((each) => ({ ...each, endpoints: [each.endpoint] }));
  return reconcileSlices([], desired, { parent: sliceParentOfService(service), emptyFor: ["IPv4"], max: 100 }).create;
}

const explain = (service: Service, ...pods: readonly Pod[]) => explainService(snapshot(service, pods), "default", "web");

const covered = new Set<Finding>();
const expectFinding = (actual: Finding, wanted: Finding) => {
  covered.add(wanted);
  expect(actual).toBe(wanted);
};

describe("findings", () => {
  test("all ready", () => {
    const found = explain(testService(), testPod(), testPod({ name: "web-2", ip: "127.97.0.2" }));
    expectFinding(found.finding, "AllReady");
    expect(found).toMatchObject({ ok: true, hints: [], consequences: [], endpoints: ["127.97.0.1:8080", "127.97.0.2:8080"] });
    expect(found.verdict).toBe("default/web sends traffic to 2 of 2 pods matching app=web.");
    expect(found.pods.map(({ name, reason, detail }) => [name, reason, detail])).toEqual([
      ["web-1", "Ready", "ready since 2026-01-01T00:00:00Z"],
      ["web-2", "Ready", "ready since 2026-01-01T00:00:00Z"],
    ]);
  });

  test("a selector that matches nothing: which value would", () => {
    const pods = [1, 2, 3].map((i) => testPod({ name: `p${i}`, labels: { app: "webapp" } }));
    const found = explain(testService(), ...pods);
    expectFinding(found.finding, "SelectsNothing");
    expect(found.ok).toBe(false);
    expect(found.verdict).toBe("default/web has no endpoints: no pod matches app=web.");
    expect(found.hints).toEqual(["No pod has app=web; 3 pods match app=webapp."]);
    expect(found.consequences).toEqual(["web.default.svc still resolves to 127.96.0.10; connections to it are refused at once."]);
    expect(found.pods).toEqual([]);
  });

  test("one key of several is wrong or missing", () => {
    const service = testService({ selector: { app: "web", tier: "front" } });
    expect(explain(service, testPod({ labels: { app: "web", tier: "back" } })).hints).toEqual([
      "No pod has tier=front; 1 pod matches app=web,tier=back.",
    ]);
    expect(explain(service, testPod({ labels: { app: "web" } })).hints).toEqual(["1 pod matches app=web but has no label tier."]);
  });

  test("pods of another namespace", () => {
    expect(explain(testService(), testPod({ namespace: "shop" })).hints).toEqual([
      "1 pod in namespace shop matches; a Service selects only pods of its own namespace.",
      "Namespace default has no pods at all.",
    ]);
  });

  test("none ready: which container, and its probe", () => {
    const base = testPod({ ready: false });
    const pod: Pod = {
      ...base,
      spec: { ...base.spec, containers: [{ name: "app", image: "x", readinessProbe: { httpGet: { port: 8080, path: "/ready" } } }] },
      status: {
        ...base.status,
        containerStatuses: [{ name: "app", image: "x", imageID: "", ready: false, restartCount: 2, state: { running: {} } }],
      },
    };
    const found = explain(testService(), pod);
    expectFinding(found.finding, "NoneReady");
    expect(found.pods[0]?.detail).toBe(
      "not ready since 2026-01-01T00:00:00Z: container app runs, restarted 2 times, but its readiness probe has not succeeded (GET http://:8080/ready)",
    );
  });

  test("some ready; one waits, one ends", () => {
    const base = testPod({ name: "web-2", ready: false });
    const waiting = { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container" };
    const broken: Pod = {
      ...base,
      status: {
        ...base.status,
        containerStatuses: [{ name: "app", image: "x", imageID: "", ready: false, restartCount: 3, state: { waiting } }],
      },
    };
    const found = explain(testService(), testPod(), broken, testPod({ name: "web-3", terminating: true }));
    expectFinding(found.finding, "SomeNotReady");
    expect(found.pods.map(({ reason, detail }) => [reason, detail])).toEqual([
      ["Ready", "ready since 2026-01-01T00:00:00Z"],
      [
        "NotReady",
        "not ready since 2026-01-01T00:00:00Z: container app is waiting: CrashLoopBackOff: back-off 10s restarting failed container",
      ],
      ["TerminatingServing", "being deleted, gone by 2026-01-01T00:10:00Z at the latest; still ready"],
    ]);
  });

  test("a named port that the pod has not", () => {
    const found = explain(testService({ ports: [{ name: "http", port: 80, targetPort: "web" }] }), testPod());
    expectFinding(found.finding, "NoneReady");
    expect(found.pods[0]).toMatchObject({
      reason: "NamedPortMissing",
      detail: 'port "http" wants the TCP container port named "web"; the pod has http 8080/TCP',
    });
    expect(found.hints).toEqual(["Set targetPort of port http to http, or name a container port web."]);
    expect([found.ok, found.endpoints]).toEqual([false, []]);
    const one = explain(
      testService({ ports: [{ name: "http", port: 80, targetPort: "web" }] }),
      testPod(),
      testPod({ name: "web-2", ip: "127.97.0.2", ports: { web: 80 } }),
    );
    expect([one.finding, one.endpoints]).toEqual(["SomeNotReady", ["127.97.0.2:80"]]);
  });

  test("slices that do not say yet what is so", () => {
    const service = testService();
    const found = explainService(snapshot(service, [testPod()], slicesFor(service, [])), "default", "web");
    expectFinding(found.finding, "SlicesBehind");
    expect(found.ok).toBe(false);
  });

  test("no selector, with and without endpoints by hand", () => {
    const service = testService({ selector: undefined });
    const byHand = slicesFor(testService(), [testPod()]);
    expectFinding(explainService(snapshot(service, [], []), "default", "web").finding, "NoSelector");
    expect(explainService(snapshot(service, [], byHand), "default", "web")).toMatchObject({
      ok: true,
      verdict: "default/web has no selector; 1 endpoint written for it by hand.",
    });
  });

  test("ExternalName", () => {
    const found = explain(testService({ type: "ExternalName", externalName: "example.org", selector: undefined }));
    expectFinding(found.finding, "ExternalName");
    expect(found).toMatchObject({ ok: true, consequences: ["web.default.svc resolves to example.org; the proxy has no part in it."] });
  });

  test("no such Service, but elsewhere", () => {
    const found = explainService(snapshot(testService(), []), "shop", "web");
    expectFinding(found.finding, "NotFound");
    expect(found.hints).toEqual(["A Service web is in namespace default."]);
  });

  test("every finding has a case", () => expect(covered).toEqual(new Set(Object.keys(findings))));
});

test("Warning Events of the Service and its pods, newest first", () => {
  const event = (name: string, type: string, reason: string, lastTimestamp: string) => ({
    metadata: { name: reason, namespace: "default" },
    involvedObject: { kind: "Pod", namespace: "default", name },
    type,
    reason,
    message: "m",
    count: 2,
    lastTimestamp,
  });
  const events = [
    event("web-1", "Warning", "Old", "2026-01-01T00:00:00Z"),
    event("web-1", "Warning", "New", "2026-01-01T00:00:01Z"),
    event("web-1", "Normal", "Fine", "2026-01-01T00:00:02Z"),
    event("other", "Warning", "Other", "2026-01-01T00:00:03Z"),
  ];
  expect(explainService({ ...snapshot(testService(), [testPod()]), events }, "default", "web").events).toEqual([
    "New web-1: m (2 times)",
    "Old web-1: m (2 times)",
  ]);
});
