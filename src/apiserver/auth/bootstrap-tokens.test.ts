import { afterEach, beforeEach, expect, test } from "vitest";
import { secrets } from "../../api/resources.ts";
import type { Secret } from "../../api/types.ts";
import type { Store } from "../store.ts";
import { TestServer } from "../testing.ts";
import { bootstrapTokenUser } from "./bootstrap-tokens.ts";

const encode = (data: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
const good = { "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true" };
const secret = (data: Readonly<Record<string, string>>, more: Partial<Secret> = {}): Secret => ({
  metadata: { name: "bootstrap-token-abcdef", namespace: "kube-system" },
  type: "bootstrap.kubernetes.io/token",
  data: encode(data),
  ...more,
});

function userOf(stored: Secret, token = "abcdef.0123456789abcdef") {
  const key = `${stored.metadata.namespace}/${stored.metadata.name}`;
  const resource = (asked: { plural: string }) =>
    ({ get: (wanted: string) => (asked.plural === secrets.plural && wanted === key ? { object: () => stored } : undefined) }) as never;
  return bootstrapTokenUser(token, { store: { resource } as Pick<Store, "resource">, now: () => Date.parse("2026-01-01T00:00:00Z") });
}

test("a token is its Secret's id and secret", () => {
  expect(userOf(secret(good))).toEqual({ name: "system:bootstrap:abcdef", groups: ["system:bootstrappers"] });
  const groups = { ...good, "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token", expiration: "2026-01-02T00:00:00Z" };
  expect(userOf(secret(groups))?.groups).toEqual(["system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token"]);
});

test.each<[string, Secret, string?]>([
  ["another secret", secret(good), "abcdef.0123456789abcdee"],
  ["another id", secret(good), "abcdeg.0123456789abcdef"],
  ["a malformed token", secret(good), "abcdef.0123"],
  ["one of another type", secret(good, { type: "Opaque" })],
  ["one of another namespace", secret(good, { metadata: { name: "bootstrap-token-abcdef", namespace: "default" } })],
  ["one that has ended", secret({ ...good, expiration: "2025-12-31T00:00:00Z" })],
  ["one whose end cannot be read", secret({ ...good, expiration: "tomorrow" })],
  ["one for signing alone", secret({ ...good, "usage-bootstrap-authentication": "false" })],
  ["one whose id is not its name's", secret({ ...good, "token-id": "zzzzzz" })],
  ["one that claims a group of its own", secret({ ...good, "auth-extra-groups": "system:masters" })],
  ["one that is being deleted", secret(good, { metadata: { ...secret(good).metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } })],
])("%s is nobody's", (_, stored, token) => expect(userOf(stored, token)).toBeUndefined());

let api: TestServer;
beforeEach(async () => {
  api = new TestServer();
  await api.server.start();
});
afterEach(() => api.server.stop());

test("a TokenReview knows it, and bound to its role it may ask for a certificate in its own name alone", async () => {
  await api.post("/api/v1/namespaces/kube-system/secrets", secret(good));
  const review = await api.post("/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: "abcdef.0123456789abcdef" } });
  expect(review.body.status).toMatchObject({
    authenticated: true,
    user: { username: "system:bootstrap:abcdef", groups: ["system:bootstrappers", "system:authenticated"] },
  });
  const user = { name: "system:bootstrap:abcdef", groups: ["system:bootstrappers", "system:authenticated"] };
  const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
  const request = Buffer.from("-----BEGIN CERTIFICATE REQUEST-----\n").toString("base64");
  const spec = {
    request,
    signerName: "kubernetes.io/kube-apiserver-client",
    usages: ["client auth"],
    username: "system:admin",
    groups: ["system:masters"],
  };
  expect((await api.post(requests, { metadata: { name: "n" }, spec }, { user })).status).toBe(403);
  await api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "bootstrap" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:node-bootstrapper" },
    subjects: [{ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: "system:bootstrappers" }],
  });
  const made = await api.post(requests, { metadata: { name: "n" }, spec }, { user });
  expect([made.status, made.body.spec?.username, made.body.spec?.groups]).toEqual([201, user.name, user.groups]);
});
