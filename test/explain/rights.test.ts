/** A reader with few rights: what may not be listed is named, and what hangs on it is not guessed. */
import { expect, test } from "vitest";
import { fromCluster } from "../../src/cli/explain/read-snapshot.ts";
import { explain } from "../../src/decide/explain/explain.ts";
import { startCluster } from "../../src/testing/index.ts";

const manifests = `
{ apiVersion: v1, kind: Service, metadata: { name: web }, spec: { selector: { app: web }, ports: [{ port: 80 }] } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: few }
rules:
  - { apiGroups: [""], resources: [services, namespaces, nodes], verbs: [list] }
  - { apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: few }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: few }
subjects: [{ kind: User, name: reader, apiGroup: rbac.authorization.k8s.io }]
`;

test("pods may not be listed: the answer is that they could not be read", { timeout: 60_000 }, async () => {
  await using cluster = await startCluster({ manifests });
  const snapshot = await fromCluster(cluster.clientAs("reader"), {});
  expect(snapshot.config.unread).toContainEqual({ kind: "Pod", why: "forbidden" });
  expect(snapshot.config.unread.map(({ kind }) => kind)).not.toContain("Service");
  expect(snapshot.config.gateway).toBe("fairlead");
  const found = explain(snapshot, { target: "svc/web" });
  expect(found).toMatchObject({ ok: false, code: "NotRead" });
  expect(found.limits).toContain("Pod objects could not be read: forbidden");
  // Whoever may read all of it is told the cause.
  expect(explain(await fromCluster(cluster.client, {}), { target: "svc/web" }).code).toBe("NoPodsAtAll");
});
