import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { UserInfo } from "../../../api/request.ts";
import { TestServer } from "../../testing.ts";
import { ruleAllows, uncovered } from "./rules.ts";

describe("a rule", () => {
  const rule = (resources: string[], more: object = {}) => ({ verbs: ["get"], apiGroups: [""], resources, ...more });
  const ask = (plural: string, more: object = {}) => ({ kind: "resource" as const, verb: "get", group: "", plural, ...more });
  test.each([
    [rule(["pods"]), ask("pods"), true],
    [rule(["pods"]), ask("pods", { subresource: "log" }), false],
    [rule(["pods/log"]), ask("pods", { subresource: "log" }), true],
    [rule(["*/log"]), ask("pods", { subresource: "log" }), true],
    [rule(["*/log"]), ask("pods"), false],
    [rule(["*"]), ask("pods", { subresource: "log" }), true],
    [rule(["pods"]), ask("pods", { verb: "list" }), false],
    [rule(["pods"]), ask("pods", { group: "apps" }), false],
    [rule(["pods"], { apiGroups: ["*"], verbs: ["*"] }), ask("pods", { group: "apps", verb: "bind" }), true],
    [rule(["pods"], { resourceNames: ["a"] }), ask("pods", { name: "a" }), true],
    [rule(["pods"], { resourceNames: ["a"] }), ask("pods"), false],
    [{ verbs: ["get"], nonResourceURLs: ["/api/*"] }, { kind: "path" as const, verb: "get", path: "/api/v1" }, true],
    [{ verbs: ["get"], nonResourceURLs: ["/api"] }, { kind: "path" as const, verb: "get", path: "/api/v1" }, false],
    [{ verbs: ["get"], nonResourceURLs: ["*"] }, ask("pods"), false],
  ])("%j on %j: %s", (given, request, allowed) => expect(ruleAllows(given, request)).toBe(allowed));

  test("covers what it could give, part by part", () => {
    const held = [rule(["pods", "services"], { verbs: ["get", "list"] })];
    expect(uncovered(held, [rule(["pods"])])).toEqual([]);
    expect(uncovered(held, [rule(["pods", "secrets"], { verbs: ["get", "watch"] })])).toEqual([
      { verbs: ["get"], apiGroups: [""], resources: ["secrets"] },
      { verbs: ["watch"], apiGroups: [""], resources: ["pods"] },
      { verbs: ["watch"], apiGroups: [""], resources: ["secrets"] },
    ]);
    expect(uncovered([rule(["pods"], { resourceNames: ["a"] })], [rule(["pods"])])).toHaveLength(1);
  });
});

describe("a server with roles", () => {
  let api: TestServer;
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const jane: UserInfo = { name: "jane", groups: ["dev", "system:authenticated"] };
  const robot: UserInfo = { name: "system:serviceaccount:default:robot", groups: ["system:serviceaccounts", "system:authenticated"] };

  beforeEach(async () => {
    api = new TestServer();
    await api.server.start();
  });
  afterEach(() => api.server.stop());

  const bindRole = (name: string, subject: object, role: string, namespace?: string) =>
    api.post(namespace === undefined ? `${rbac}/clusterrolebindings` : `${rbac}/namespaces/${namespace}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [subject],
    });
  const status = async (url: string, user: UserInfo) => (await api.get(url, { user })).status;

  test("gives what a binding gives, where it gives it, from the next request on", async () => {
    expect(await status("/api/v1/namespaces/default/pods", jane)).toBe(403);
    await bindRole("look", { kind: "Group", name: "dev", apiGroup: "rbac.authorization.k8s.io" }, "view", "default");
    expect(await status("/api/v1/namespaces/default/pods", jane)).toBe(200);
    expect(await status("/api/v1/namespaces/kube-system/pods", jane)).toBe(403);
    expect(await status("/api/v1/namespaces/default/secrets", jane)).toBe(403);
    expect((await api.post("/api/v1/namespaces/default/configmaps", { metadata: { name: "a" } }, { user: jane })).body.message).toBe(
      'configmaps is forbidden: User "jane" cannot create resource "configmaps" in API group "" in the namespace "default"',
    );
    await api.remove(`${rbac}/namespaces/default/rolebindings/look`);
    expect(await status("/api/v1/namespaces/default/pods", jane)).toBe(403);
  });

  test("knows accounts of pods, and aggregated roles", async () => {
    await bindRole("edit-robot", { kind: "ServiceAccount", name: "robot", namespace: "default" }, "edit");
    expect((await api.post("/api/v1/namespaces/default/configmaps", { metadata: { name: "a" } }, { user: robot })).status).toBe(201);
    expect(await status("/apis/rbac.authorization.k8s.io/v1/roles", robot)).toBe(403);
    await api.post(`${rbac}/clusterroles`, {
      metadata: { name: "more", labels: { "rbac.authorization.k8s.io/aggregate-to-edit": "true" } },
      rules: [{ verbs: ["list"], apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles"] }],
    });
    expect(await status("/apis/rbac.authorization.k8s.io/v1/roles", robot)).toBe(200);
  });

  test("nobody gives more than he has", async () => {
    const admin: UserInfo = { name: "boss", groups: ["system:authenticated"] };
    await bindRole("boss", { kind: "User", name: "boss", apiGroup: "rbac.authorization.k8s.io" }, "admin", "default");
    const grant = (role: string) =>
      api.post(
        `${rbac}/namespaces/default/rolebindings`,
        { metadata: { name: role }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role }, subjects: [] },
        { user: admin },
      );
    expect((await grant("view")).status).toBe(201);
    const refused = await grant("cluster-admin");
    expect([refused.status, refused.body.message]).toEqual([
      403,
      expect.stringContaining("is attempting to grant RBAC permissions not currently held:\n{APIGroups"),
    ]);
    const role = (rules: object[]) => api.post(`${rbac}/namespaces/default/roles`, { metadata: { name: "r" }, rules }, { user: admin });
    expect((await role([{ verbs: ["get"], apiGroups: [""], resources: ["nodes"] }])).status).toBe(403);
    expect((await role([{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }])).status).toBe(201);
  });

  test("everybody may ask about himself, and who is asked is told why", async () => {
    const ask = (verb: string) =>
      api.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        { spec: { resourceAttributes: { verb, resource: "pods", namespace: "default" } } },
        { user: jane },
      );
    expect((await ask("get")).body.status).toEqual({ allowed: false });
    await bindRole("look", { kind: "User", name: "jane", apiGroup: "rbac.authorization.k8s.io" }, "view");
    expect((await ask("get")).body.status).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by ClusterRoleBinding "look" of ClusterRole "view" to User "jane"',
    });
    const rules = await api.post(
      "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
      { spec: { namespace: "default" } },
      { user: jane },
    );
    expect(rules.body.status.resourceRules.length).toBeGreaterThan(5);
  });

  test("acting as somebody else takes a right to each part of him", async () => {
    const as = (headers: Record<string, string>, user?: UserInfo) =>
      api.get("/api/v1/namespaces/default/pods", { headers, ...(user && { user }) });
    expect((await as({ "impersonate-user": "jane" })).body.message).toContain('User "jane" cannot list');
    await bindRole("look", { kind: "Group", name: "dev", apiGroup: "rbac.authorization.k8s.io" }, "view");
    expect((await as({ "impersonate-user": "joe", "impersonate-group": "other, dev" })).status).toBe(200);
    expect((await as({ "impersonate-group": "dev" })).status).toBe(400);
    expect((await as({ "impersonate-user": "boss" }, jane)).body.message).toContain(
      'User "jane" cannot impersonate resource "users" in API group ""',
    );
    const review = (headers: Record<string, string>) => api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, { headers });
    expect((await review({ "impersonate-user": robot.name, "impersonate-extra-example.com%2Fteam": "a" })).body.status.userInfo).toEqual({
      username: robot.name,
      groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
      extra: { "example.com/team": ["a"] },
    });
  });

  test("a node reads the secrets of its own pods, and no others", async () => {
    const node: UserInfo = { name: "system:node:n1", groups: ["system:nodes", "system:authenticated"] };
    const secrets = "/api/v1/namespaces/default/secrets";
    for (const name of ["mine", "other"]) await api.post(secrets, { metadata: { name } });
    const pod = (name: string, nodeName: string, secretName: string) =>
      api.post("/api/v1/namespaces/default/pods", {
        metadata: { name },
        spec: { nodeName, containers: [{ name: "c", image: "i" }], volumes: [{ name: "v", secret: { secretName } }] },
      });
    await pod("a", "n1", "mine");
    await pod("b", "n2", "other");
    expect([await status(`${secrets}/mine`, node), await status(`${secrets}/other`, node), await status(secrets, node)]).toEqual([
      200, 403, 403,
    ]);
    const update = (name: string) =>
      api.put(`/api/v1/namespaces/default/pods/${name}/status`, { metadata: { name }, status: { phase: "Running" } }, { user: node });
    expect([(await update("a")).status, (await update("b")).status]).toEqual([200, 403]);
  });
});
