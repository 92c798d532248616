/** ValidatingAdmissionPolicies; the texts are those that kube-apiserver 1.36 gives to the same requests. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { TestServer } from "../testing.ts";

let api: TestServer;
beforeEach(async () => {
  api = new TestServer();
  await api.server.start();
});
afterEach(() => api.server.stop());

const group = "/apis/admissionregistration.k8s.io/v1";
const maps = "/api/v1/namespaces/default/configmaps";

async function put(spec: object, binding: object = {}, name = "p"): Promise<void> {
  const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE", "DELETE"], resources: ["configmaps"] }];
  const policy = { metadata: { name }, spec: { matchConstraints: { resourceRules: rules }, ...spec } };
  expect((await api.post(`${group}/validatingadmissionpolicies`, policy)).status).toBe(201);
  const bound = { metadata: { name: `${name}-b` }, spec: { policyName: name, validationActions: ["Deny"], ...binding } };
  expect((await api.post(`${group}/validatingadmissionpolicybindings`, bound)).status).toBe(201);
}

const create = (name: string, more: object = {}, labels = {}) => api.post(maps, { metadata: { name, labels }, ...more });

test("variables, conditions, messages and reasons", async () => {
  await put({
    variables: [{ name: "name", expression: "object.metadata.name" }],
    matchConditions: [{ name: "mine", expression: "request.operation != 'DELETE' && object.metadata.name.startsWith('v-')" }],
    validations: [
      { expression: "variables.name != 'v-bad'", messageExpression: "'bad name ' + variables.name", reason: "Forbidden" },
      { expression: "!has(object.data) || !('secret' in object.data)" },
    ],
  });
  const denied = "ValidatingAdmissionPolicy 'p' with binding 'p-b' denied request";
  expect((await create("v-bad")).body).toMatchObject({
    code: 403,
    reason: "Forbidden",
    message: `configmaps "v-bad" is forbidden: ${denied}: bad name v-bad`,
    details: { causes: [{ message: `${denied}: bad name v-bad` }] },
  });
  expect((await create("v-ok", { data: { secret: "x" } })).body).toMatchObject({
    code: 422,
    reason: "Invalid",
    message: `configmaps "v-ok" is forbidden: ${denied}: failed expression: !has(object.data) || !('secret' in object.data)`,
  });
  expect((await create("v-ok")).status).toBe(201);
  expect((await create("other", { data: { secret: "x" } })).status).toBe(201);
  expect((await api.patch(`${maps}/v-ok`, { data: { secret: "x" } })).status).toBe(422);
});

test("a warning instead of a refusal, and a deletion that is refused", async () => {
  await put(
    { validations: [{ expression: "object == null || object.metadata.name != 'w'", message: "careful" }] },
    { validationActions: ["Warn", "Audit"] },
  );
  expect((await create("w")).headers["warning"]).toEqual([
    `299 - "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p-b': careful"`,
  ]);
  await put({ validations: [{ expression: "oldObject == null || oldObject.metadata.name != 'w'", message: "kept" }] }, {}, "q");
  expect((await api.remove(`${maps}/w`)).body.message).toContain("denied request: kept");
});

test("what cannot be evaluated is refused, unless the policy says otherwise", async () => {
  const faulty = { validations: [{ expression: "object.data.nothing == 'x'" }] };
  await put(faulty, { matchResources: { objectSelector: { matchLabels: { strict: "yes" } } } });
  await put({ ...faulty, failurePolicy: "Ignore" }, { matchResources: { objectSelector: { matchLabels: { lax: "yes" } } } }, "q");
  expect((await create("a", {}, { strict: "yes" })).body.message).toContain(
    "denied request: expression 'object.data.nothing == 'x'' resulted in error: no such key: data",
  );
  expect((await create("b", {}, { lax: "yes" })).status).toBe(201);
  expect((await create("c")).status).toBe(201);
});

test("parameters of the binding's choice", async () => {
  await put(
    { paramKind: { apiVersion: "v1", kind: "ConfigMap" }, validations: [{ expression: "object.metadata.name != params.data.forbidden" }] },
    {
      paramRef: { name: "params", namespace: "default", parameterNotFoundAction: "Deny" },
      matchResources: { objectSelector: { matchLabels: { checked: "yes" } } },
    },
  );
  expect((await create("nope", {}, { checked: "yes" })).body.message).toContain(
    "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
  );
  await create("params", { data: { forbidden: "nope" } });
  expect((await create("nope", {}, { checked: "yes" })).body.message).toContain(
    "failed expression: object.metadata.name != params.data.forbidden",
  );
  expect((await create("fine", {}, { checked: "yes" })).status).toBe(201);
});

test("namespaces and resources that it is not about are left alone; it never guards itself", async () => {
  const everything = {
    resourceRules: [
      { apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["configmaps", "validatingadmissionpolicybindings"] },
    ],
  };
  await put({
    matchConstraints: { ...everything, namespaceSelector: { matchLabels: { guarded: "yes" } } },
    validations: [{ expression: "false" }],
  });
  expect((await create("a")).status).toBe(201);
  await api.patch("/api/v1/namespaces/default", { metadata: { labels: { guarded: "yes" } } });
  expect((await create("b")).status).toBe(422);
  expect((await api.remove(`${group}/validatingadmissionpolicybindings/p-b`)).status).toBe(200);
  expect((await create("b")).status).toBe(201);
});

test("one that cannot be compiled is not stored", async () => {
  const spec = { matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["pods"] }] } };
  const answer = await api.post(`${group}/validatingadmissionpolicies`, {
    metadata: { name: "x" },
    spec: { ...spec, validations: [{ expression: "object.metadata.name ==" }] },
  });
  expect(answer.body.message).toContain("spec.validations[0].expression: Invalid value");
});
