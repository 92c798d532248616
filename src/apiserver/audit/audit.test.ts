import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { silentLogger } from "../../lib/log.ts";
import { realClock } from "../../lib/clock.ts";
import { requestInfo } from "../request-info.ts";
import { TestServer } from "../testing.ts";
import { createFileLog } from "./file-log.ts";
import { auditDecision, readAuditPolicy, type AuditPolicy } from "./policy.ts";

const policy = (...rules: object[]): AuditPolicy => readAuditPolicy({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules });
const user = { name: "jane", groups: ["dev", "system:authenticated"] };
const level = (of: AuditPolicy, method: "GET" | "POST", url: string) => {
  const [path = "", query] = url.split("?");
  return auditDecision(of, user, requestInfo({ method, path, query: new URLSearchParams(query) })).level;
};

describe("a policy", () => {
  const rules = policy(
    { level: "None", users: ["system:kube-proxy"] },
    { level: "None", nonResourceURLs: ["/healthz*", "/version"] },
    { level: "Request", verbs: ["create"], resources: [{ group: "", resources: ["pods", "services/status"], resourceNames: ["web"] }] },
    { level: "RequestResponse", userGroups: ["dev"], namespaces: ["team"], resources: [{ group: "apps" }] },
    { level: "Metadata", resources: [{ group: "", resources: ["pods/*", "*/status"] }] },
    { level: "Metadata", nonResourceURLs: ["*"] },
  );

  test.each([
    ["GET", "/healthz/ping", "None"],
    ["GET", "/metrics", "Metadata"],
    ["GET", "/api/v1/namespaces/a/pods/web", "None"],
    ["POST", "/api/v1/namespaces/a/pods/web", "Request"],
    ["POST", "/api/v1/namespaces/a/pods/other", "None"],
    ["GET", "/api/v1/namespaces/a/pods/x/log", "Metadata"],
    ["GET", "/api/v1/namespaces/a/services/x/status", "Metadata"],
    ["GET", "/apis/apps/v1/namespaces/team/deployments", "RequestResponse"],
    ["GET", "/apis/apps/v1/namespaces/other/deployments", "None"],
  ] as const)("%s %s: %s", (method, url, wanted) => expect(level(rules, method, url)).toBe(wanted));

  test.each([
    [undefined, "no Policy"],
    [{ apiVersion: "audit.k8s.io/v1beta1", kind: "Policy", rules: [{ level: "None" }] }, "no Policy"],
    [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [] }, "at least one"],
    [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "All" }] }, "rules[0].level"],
    [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "None", user: ["a"] }] }, "rules[0].user: no such field"],
    [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "None", resources: ["pods"] }] }, "rules[0].resources"],
    [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", omitStages: ["Never"], rules: [{ level: "None" }] }, "omitStages"],
  ])("%j is refused", (raw, why) => expect(() => readAuditPolicy(raw)).toThrow(why));
});

let api: TestServer;
afterEach(() => api?.server.stop());

async function audited(...rules: object[]) {
  // oxlint-disable-next-line typescript/no-explicit-any -- events of every shape
  const events: any[] = [];
  api = new TestServer({ audit: { policy: policy(...rules), write: (line) => events.push(JSON.parse(line)) } });
  await api.server.start();
  return events;
}

test("a write is told when it comes and when it is answered, with both bodies", async () => {
  const events = await audited({
    level: "RequestResponse",
    omitManagedFields: true,
    resources: [{ group: "", resources: ["configmaps"] }],
  });
  const headers = { "user-agent": "tester/1", "audit-id": "mine" };
  const body = { metadata: { name: "a" }, data: { k: "v" } };
  const answer = await api.post("/api/v1/namespaces/default/configmaps?fieldManager=m", body, { headers });
  expect(answer.headers["audit-id"]).toBe("mine");
  await api.get("/api/v1/namespaces/default/secrets");
  expect(events.map(({ stage }) => stage)).toEqual(["RequestReceived", "ResponseComplete"]);
  const { managedFields: _, ...metadata } = answer.body.metadata;
  expect(events[1]).toMatchObject({
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "RequestResponse",
    auditID: "mine",
    requestURI: "/api/v1/namespaces/default/configmaps?fieldManager=m",
    verb: "create",
    user: { username: "kubernetes-admin" },
    userAgent: "tester/1",
    objectRef: { resource: "configmaps", namespace: "default", apiVersion: "v1" },
    responseStatus: { code: 201 },
    requestObject: body,
    annotations: { "authorization.k8s.io/decision": "allow" },
  });
  expect(events[1].responseObject).toEqual({ ...answer.body, metadata });
});

test("refusals, patches and who acts for whom", async () => {
  const events = await audited({ level: "Request", omitStages: ["RequestReceived"] });
  await api.get("/api/v1/secrets", { user: { name: "eve", groups: [] } });
  await api.get("/api/v1/namespaces", { headers: { "impersonate-user": "jane" } });
  await api.ask("PATCH", "/api/v1/namespaces/default", { body: "metadata: {labels: {a: b}}", type: "application/apply-patch+yaml" });
  expect(events[0]).toMatchObject({
    user: { username: "eve" },
    responseStatus: { status: "Failure", reason: "Forbidden", code: 403 },
    annotations: { "authorization.k8s.io/decision": "forbid" },
  });
  expect(events[1]).toMatchObject({
    user: { username: "kubernetes-admin" },
    impersonatedUser: { username: "jane" },
    responseStatus: { code: 403 },
  });
  expect(events[2]).toMatchObject({ verb: "patch", requestObject: { metadata: { labels: { a: "b" } } }, responseStatus: { code: 422 } });
});

test("nothing is told of what the policy leaves out", async () => {
  const events = await audited({ level: "None" });
  expect((await api.get("/api/v1/namespaces")).headers["audit-id"]).toBeUndefined();
  expect(events).toEqual([]);
});

test("a file is put aside when it is full, and is its owner's alone", async () => {
  const directory = mkdtempSync(join(tmpdir(), "audit-"));
  try {
    let now = Date.parse("2026-01-01T00:00:00Z");
    const path = join(directory, "audit.log");
    const log = createFileLog({ path, maxBytes: 20, maxBackups: 1, clock: { ...realClock, now: () => (now += 1000) }, log: silentLogger });
    for (const line of ["first", "second, and long", "third, and long", "fourth"]) log.write(line);
    await log.close();
    expect(readFileSync(path, "utf8")).toBe("fourth\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).some((name) => name.startsWith("audit.log-2026-01-01T00-00-"))).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
