/** What the server tells of itself, and who may do what. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import type { Session } from "./session.ts";

export async function discovery(k: Session): Promise<void> {
  expect(await k.ok("version")).toMatch(/v1\.36/);
  expect(await k.ok("cluster-info")).toContain("is running at");
  expect(await k.ok("api-resources")).toMatch(/^services +svc +v1 +true +Service$/m);
  expect(await k.ok("api-resources --namespaced=false -o name")).toContain("nodes\n");
  expect(await k.ok("api-resources --api-group=apps -o wide")).toMatch(
    /deployments .*create,delete,deletecollection,get,list,patch,update,watch/,
  );
  expect(await k.ok("api-versions")).toContain("networking.k8s.io/v1\n");
  expect(await k.ok("explain service.spec.ports.targetPort")).toMatch(/FIELD: +targetPort/);
  expect(await k.ok("explain deployment --recursive")).toContain("replicas");
  expect(await k.ok("explain networkpolicy.spec")).toContain("podSelector");
  expect(await k.ok(["get", "--raw", "/livez?verbose"])).toContain("livez check passed");
  expect(await k.ok(["get", "--raw", "/readyz"])).toBe("ok");
  expect(await k.ok(["get", "--raw", "/version"])).toContain('"gitVersion"');
  expect(await k.ok(["get", "--raw", "/openapi/v3"])).toContain("api/v1");
  expect(await k.ok(["get", "--raw", "/metrics"])).toContain("apiserver_request_total");
  expect(await k.ok(["get", "--raw", "/.well-known/openid-configuration"])).toContain("jwks_uri");
  expect(await k.fails("get gadgets")).toContain(`the server doesn't have a resource type "gadgets"`);
}

export async function rights(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  await k.ok(`-n ${ns} create serviceaccount robot`);
  const robot = `system:serviceaccount:${ns}:robot`;
  expect(await k.ok("auth can-i '*' '*'".replaceAll("'", ""))).toBe("yes\n");
  const asked = await k.run(`-n ${ns} auth can-i list pods --as ${robot}`);
  expect([asked.code, asked.stdout]).toEqual([1, "no\n"]);
  expect(await k.fails(`-n ${ns} get pods --as ${robot}`)).toContain(
    `User "${robot}" cannot list resource "pods" in API group "" in the namespace "${ns}"`,
  );
  await k.ok(`-n ${ns} create role reader --verb=get,list --resource=pods,deployments.apps`);
  await k.ok(`-n ${ns} create rolebinding robot-reads --role=reader --serviceaccount=${ns}:robot`);
  expect(await k.ok(`-n ${ns} auth can-i list pods --as ${robot}`)).toBe("yes\n");
  await k.ok(`-n ${ns} get pods,deployments --as ${robot}`);
  expect(await k.ok(`-n ${ns} auth can-i --list --as ${robot}`)).toMatch(/pods +\[\] +\[\] +\[get list\]/);
  expect(await k.ok(`-n ${ns} describe role reader`)).toMatch(/pods/);
  expect(await k.ok(`-n ${ns} get role,rolebinding -o wide`)).toMatch(new RegExp(`Role/reader .*${ns}/robot`));
  await k.ok(`create clusterrole ${ns}-look --verb=get --non-resource-url=/metrics`);
  await k.ok(`create clusterrolebinding ${ns}-look --clusterrole=${ns}-look --serviceaccount=${ns}:robot`);
  expect(await k.ok(["get", "--raw", "/metrics", "--as", robot])).toContain("# HELP");
  await k.ok("auth reconcile -f -", {
    input: JSON.stringify({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "reader", namespace: ns },
      rules: [{ verbs: ["get", "list", "watch"], apiGroups: [""], resources: ["pods"] }],
    }),
  });
  const token = (await k.ok(`-n ${ns} create token robot --duration=10m`)).trim();
  expect(token.split(".")).toHaveLength(3);
  const config = JSON.parse(await k.ok("config view --raw -o json"));
  config.users = [{ name: "robot", user: { token } }];
  config.contexts[0].context.user = "robot";
  const kubeconfig = join(mkdtempSync(join(dirname(k.kubeconfig), "robot-")), "config");
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  const mine = await k.run(`--kubeconfig ${kubeconfig} -n ${ns} get pods`);
  expect([mine.code, mine.stderr]).toEqual([0, `No resources found in ${ns} namespace.\n`]);
  expect(await k.fails(`--kubeconfig ${kubeconfig} -n ${ns} get secrets`)).toContain(`User "${robot}" cannot list`);
  if (k.minor >= 28) expect(await k.ok("auth whoami")).toContain("kubernetes-admin");
  await k.ok(`delete clusterrole,clusterrolebinding ${ns}-look`);
}

export async function otherKinds(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  await k.ok(`-n ${ns} create secret generic login --from-literal=user=me`);
  expect(await k.ok(`-n ${ns} get secret login`)).toMatch(/login +Opaque +1 /);
  expect(await k.ok(`-n ${ns} describe secret login`)).toMatch(/user: +2 bytes/);
  await k.ok(["-n", ns, "create", "ingress", "web", "--rule=example.com/*=web:80"]);
  expect(await k.ok(`-n ${ns} get ingress`)).toContain("example.com");
  expect(await k.ok(`-n ${ns} describe ingress web`)).toContain("example.com");
  await k.ok(`-n ${ns} create poddisruptionbudget guard --selector=a=b --min-available=1`);
  expect(await k.ok(`-n ${ns} get pdb`)).toMatch(/guard +1 +N\/A/);
  await k.ok(`create priorityclass ${ns}-high --value=10 --description=high`);
  expect(await k.ok(`get priorityclass ${ns}-high`)).toMatch(/high +10 +false/);
  await k.ok(`-n ${ns} apply -f -`, {
    input: JSON.stringify({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "deny" },
      spec: { podSelector: {} },
    }),
  });
  expect(await k.ok(`-n ${ns} describe networkpolicy deny`)).toContain("PodSelector");
  await k.ok(`-n ${ns} apply -f -`, {
    input: JSON.stringify({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } },
    }),
  });
  expect(await k.ok(`-n ${ns} get pvc`)).toMatch(/data/);
  for (const kind of [
    "storageclass",
    "ingressclass",
    "persistentvolume",
    "certificatesigningrequest",
    "servicecidr",
    "ipaddress",
    "lease",
    "endpointslice",
    "endpoints",
  ])
    await k.ok(`-n ${ns} get ${kind}`);
  expect(await k.ok("-n default describe service kubernetes")).toMatch(/Endpoints: +\S+:\d+/);
  expect(await k.ok("-n default describe endpointslice kubernetes")).toContain("Addresses");
  expect(await k.ok(`describe namespace ${ns}`)).toMatch(/Status: +Active/);
  expect(await k.ok(`-n ${ns} describe serviceaccount default`)).toMatch(/Name: +default/);
  await k.ok(`delete priorityclass ${ns}-high`);
  await k.ok(`delete namespace ${ns} --timeout=90s`);
}
