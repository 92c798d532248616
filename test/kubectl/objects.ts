/** Objects without anything that runs: every output, every patch, every way to write. */
import { expect } from "vitest";
import type { Session } from "./session.ts";

const manifest = (...objects: object[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });

export async function outputs(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  await k.ok(`-n ${ns} create configmap one --from-literal=a=1 --from-literal=b=2`);
  await k.ok(`-n ${ns} create configmap two --from-literal=a=3`);
  await k.ok(`-n ${ns} label configmap one tier=front run=${ns}`);
  expect(await k.ok(`-n ${ns} get configmap one`)).toMatch(/^NAME +DATA +AGE\none +2 /);
  expect((await k.json(`-n ${ns} get cm one`)).data).toEqual({ a: "1", b: "2" });
  expect(await k.ok(`-n ${ns} get cm one -o yaml`)).toMatch(/^data:\n {2}a: "1"/m);
  expect(await k.ok(`-n ${ns} get cm -o name`)).toContain("configmap/one\nconfigmap/two\n");
  expect(await k.ok(`-n ${ns} get cm one -o jsonpath={.data.b}`)).toBe("2");
  expect(await k.ok(`-n ${ns} get cm one -o go-template={{.metadata.name}}`)).toBe("one");
  expect(await k.ok(`-n ${ns} get cm one -o custom-columns=N:.metadata.name,A:.data.a`)).toMatch(/N +A\none +1/);
  expect(await k.ok(`-n ${ns} get cm --show-labels`)).toMatch(/one +2 +\S+ +(run=\S+,)?tier=front/);
  expect(await k.ok(`-n ${ns} get cm -L tier`)).toMatch(/NAME +DATA +AGE +TIER/);
  expect(await k.ok(`-n ${ns} get cm -l tier=front -o name`)).toBe("configmap/one\n");
  expect(await k.ok(`-n ${ns} get cm -l tier!=front -o name`)).toContain("configmap/two");
  expect(await k.ok(`-n ${ns} get cm --field-selector metadata.name=two -o name`)).toBe("configmap/two\n");
  expect(await k.ok(`-n ${ns} get cm --sort-by=.metadata.name --no-headers`)).toMatch(/one .*\n(.*\n)*two /);
  expect(await k.ok(`get cm -A -l run=${ns} --no-headers`)).toMatch(new RegExp(`^${ns} +one `));
  expect(await k.ok(`-n ${ns} get cm,secret,sa --ignore-not-found`)).toContain("configmap/one");
  expect(await k.ok(`-n ${ns} get cm --chunk-size=1 -o name`)).toContain("configmap/two");
  expect(await k.ok(`-n ${ns} get cm one --show-managed-fields -o yaml`)).toContain("managedFields:");
  expect(await k.ok(`-n ${ns} get cm none --ignore-not-found`)).toBe("");
  expect(await k.fails(`-n ${ns} get cm none`)).toBe('Error from server (NotFound): configmaps "none" not found\n');
  expect(await k.ok(`get --raw /api/v1/namespaces/${ns}/configmaps/one`)).toContain('"kind":"ConfigMap"');
  expect(await k.ok(`get namespace ${ns} -o wide`)).toMatch(/Active/);
  expect(await k.ok(`-n ${ns} describe configmap one`)).toMatch(/^Name: +one$/m);
}

export async function writes(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80 }] },
  };
  expect(await k.ok(`-n ${ns} create -f -`, { input: JSON.stringify(service) })).toBe("service/web created\n");
  expect(await k.fails(`-n ${ns} create -f -`, { input: JSON.stringify(service) })).toContain("AlreadyExists");
  expect((await k.run(`-n ${ns} apply -f -`, { input: JSON.stringify(service) })).stdout).toBe("service/web configured\n");
  expect(await k.ok(`-n ${ns} apply -f -`, { input: JSON.stringify(service) })).toBe("service/web unchanged\n");
  const changed = { ...service, spec: { ...service.spec, ports: [{ name: "http", port: 81 }] } };
  const diff = await k.run(`-n ${ns} diff -f -`, { input: JSON.stringify(changed) });
  expect([diff.code, diff.stdout]).toEqual([1, expect.stringMatching(/^-\s+port: 80\n\+\s+port: 81$/m)]);
  expect(await k.ok(`-n ${ns} diff -f -`, { input: JSON.stringify(service) })).toBe("");
  await k.ok(`-n ${ns} apply view-last-applied service/web`);
  await k.ok(["-n", ns, "patch", "service", "web", "-p", '{"spec":{"ports":[{"port":90,"name":"more"}]}}']);
  await k.ok(["-n", ns, "patch", "service", "web", "--type=merge", "-p", '{"metadata":{"labels":{"a":"b"}}}']);
  await k.ok(["-n", ns, "patch", "service", "web", "--type=json", "-p", '[{"op":"add","path":"/metadata/annotations/x","value":"y"}]']);
  const patched = await k.json(`-n ${ns} get service web`);
  expect([
    patched.spec.ports.map((one: { port: number }) => one.port).sort(),
    patched.metadata.labels,
    patched.metadata.annotations.x,
  ]).toEqual([[80, 90], { a: "b" }, "y"]);
  expect(await k.fails(["-n", ns, "patch", "service", "web", "--type=json", "-p", '[{"op":"remove","path":"/none"}]'])).toContain(
    "does not exist",
  );
  await k.ok(`-n ${ns} label service web tier=back --overwrite`);
  await k.ok(`-n ${ns} label service web a-`);
  await k.ok(`-n ${ns} annotate service web note=seen`);
  await k.ok(`-n ${ns} annotate service web note-`);
  await k.ok(`-n ${ns} set selector service web app=other`);
  await k.ok(`-n ${ns} edit service web`, { env: { KUBE_EDITOR: "sed -i 's/sessionAffinity: None/sessionAffinity: ClientIP/'" } });
  const edited = await k.json(`-n ${ns} get svc web`);
  expect([edited.spec.sessionAffinity, edited.spec.selector]).toEqual(["ClientIP", { app: "other" }]);
  expect(
    await k.ok(`-n ${ns} replace -f -`, {
      input: JSON.stringify({ ...edited, spec: { ...edited.spec, sessionAffinity: "None", sessionAffinityConfig: undefined } }),
    }),
  ).toContain("replaced");
  expect(
    await k.fails(`-n ${ns} replace -f -`, {
      input: JSON.stringify({ ...edited, metadata: { ...edited.metadata, resourceVersion: "1" } }),
    }),
  ).toContain("Conflict");
  expect(await k.ok(`-n ${ns} create service clusterip plain --tcp=80:8080 --dry-run=server -o yaml`)).toMatch(/clusterIP: \d/);
  expect(await k.ok(`-n ${ns} create service nodeport outside --tcp=80:8080 --dry-run=client -o name`)).toBe("service/outside\n");
  expect(await k.fails(`-n ${ns} get service plain`)).toContain("NotFound");
  expect(await k.fails(`-n ${ns} apply -f -`, { input: JSON.stringify({ ...service, spec: { ...service.spec, nonsense: 1 } }) })).toContain(
    "nonsense",
  );
  await k.ok(`-n ${ns} create service externalname elsewhere --external-name example.com`);
  await k.ok(`-n ${ns} create service loadbalancer lb --tcp=80:80`);
  expect(await k.ok(`-n ${ns} get services`)).toMatch(/elsewhere +ExternalName +<none> +example.com/);
  expect(await k.ok(`-n ${ns} delete service web elsewhere lb`)).toContain('service "web" deleted');
  expect(await k.ok(`-n ${ns} delete service --all`)).toContain("No resources found");
}

export async function serverSideApply(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  const settings = (data: object) => ({
    input: JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings" }, data }),
  });
  const apply = `-n ${ns} apply --server-side -f -`;
  expect(await k.ok(`${apply} --field-manager=one`, settings({ a: "1", b: "1" }))).toBe("configmap/settings serverside-applied\n");
  const conflict = await k.fails(`${apply} --field-manager=two`, settings({ a: "2" }));
  expect(conflict).toContain('conflict with "one"');
  expect(conflict).toContain(".data.a");
  await k.ok(`${apply} --field-manager=two --force-conflicts`, settings({ a: "2" }));
  await k.ok(`${apply} --field-manager=one`, settings({ b: "1" }));
  expect((await k.json(`-n ${ns} get cm settings`)).data).toEqual({ a: "2", b: "1" });
  await k.ok(`${apply} --field-manager=two`, settings({}));
  expect((await k.json(`-n ${ns} get cm settings`)).data).toEqual({ b: "1" });
  await k.ok(`${apply} --field-manager=one --dry-run=server`, settings({ b: "9" }));
  expect((await k.json(`-n ${ns} get cm settings`)).data).toEqual({ b: "1" });
}

export async function deletions(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { a: "d" } },
      template: {
        metadata: { labels: { a: "d" } },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "c", image: "busybox", command: ["sleep", "1000"] }] },
      },
    },
  };
  const create = async () => {
    await k.ok(`-n ${ns} apply -f -`, { input: JSON.stringify(deployment) });
    await k.ok(`-n ${ns} rollout status deployment/d --timeout=60s`);
  };
  await create();
  await k.ok(`-n ${ns} delete deployment d --cascade=orphan`);
  expect(await k.ok(`-n ${ns} get replicasets -o name`)).toContain("replicaset.apps/d-");
  await k.ok(`-n ${ns} delete replicasets --all --cascade=background`);
  await k.ok(`-n ${ns} wait --for=delete pod -l a=d --timeout=60s`);
  await create();
  await k.ok(`-n ${ns} delete deployment d --cascade=foreground --timeout=60s`);
  expect(await k.ok(`-n ${ns} get replicasets,pods -o name`)).toBe("");
  await k.ok(`-n ${ns} apply -f -`, {
    input: manifest({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "kept", finalizers: ["example.com/hold"] } }),
  });
  await k.ok(`-n ${ns} delete configmap kept --wait=false`);
  expect((await k.json(`-n ${ns} get configmap kept`)).metadata.deletionTimestamp).toBeDefined();
  await k.ok(["-n", ns, "patch", "configmap", "kept", "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
  expect(await k.fails(`-n ${ns} get configmap kept`)).toContain("NotFound");
  await k.ok(`delete namespace ${ns} --timeout=60s`);
  expect(await k.fails(`get namespace ${ns}`)).toContain("NotFound");
}
