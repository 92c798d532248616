import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { admin, TestServer, type Answer } from "../testing.ts";
import { ensureServiceAccountKey } from "./service-account-keys.ts";

let api: TestServer;
const issuer = "https://kubernetes.default.svc.cluster.local";
const accounts = "/api/v1/namespaces/default/serviceaccounts";

beforeEach(async () => {
  api = new TestServer();
  await api.server.start();
  await api.post(accounts, { metadata: { name: "robot" } });
});
afterEach(() => api.server.stop());

const request = (spec: object = {}) => api.post(`${accounts}/robot/token`, { spec });
const review = async (token: string, audiences?: string[]) =>
  (await api.post("/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token, ...(audiences && { audiences }) } })).body.status;
const claimsOf = ({ body }: Answer) => JSON.parse(Buffer.from(body.status.token.split(".")[1], "base64url").toString());

describe("TokenRequest", () => {
  test("gives a token for this server and an hour unless asked otherwise", async () => {
    const answer = await request();
    expect(answer).toMatchObject({
      status: 201,
      body: { kind: "TokenRequest", apiVersion: "authentication.k8s.io/v1", spec: { audiences: [issuer], expirationSeconds: 3600 } },
    });
    const uid = (await api.get(`${accounts}/robot`)).body.metadata.uid;
    expect(claimsOf(answer)).toMatchObject({
      iss: issuer,
      aud: [issuer],
      sub: "system:serviceaccount:default:robot",
      "kubernetes.io": { namespace: "default", serviceaccount: { name: "robot", uid } },
    });
    const { exp, iat } = claimsOf(answer);
    expect(exp - iat).toBe(3600);
    expect(Date.parse(answer.body.status.expirationTimestamp)).toBe(exp * 1000);
  });

  test.each([
    [
      { expirationSeconds: 599 },
      422,
      'TokenRequest.authentication.k8s.io "robot" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
    ],
    [{ expirationSeconds: 2 ** 32 + 1 }, 422, "larger than 2^32 seconds"],
    [{ boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "none" } }, 404, 'pods "none" not found'],
    [{ boundObjectRef: { apiVersion: "v1", kind: "ConfigMap", name: "a" } }, 400, "cannot bind token to object of type v1, Kind=ConfigMap"],
  ])("refuses %j", async (spec, status, message) => {
    const answer = await request(spec);
    expect([answer.status, answer.body.message]).toEqual([status, expect.stringContaining(message)]);
  });

  test("is for accounts that are there", async () => {
    expect((await api.post(`${accounts}/nobody/token`, {})).status).toBe(404);
  });
});

describe("TokenReview", () => {
  test("tells who it is, and whom the token is for", async () => {
    const { body } = await request({ audiences: ["vault", "api"] });
    expect(await review(body.status.token, ["vault", "other"])).toMatchObject({
      authenticated: true,
      audiences: ["vault"],
      user: {
        username: "system:serviceaccount:default:robot",
        groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        extra: { "authentication.kubernetes.io/credential-id": [expect.stringMatching(/^JTI=/)] },
      },
    });
    expect(await review(body.status.token)).toMatchObject({
      authenticated: false,
      error: expect.stringContaining("invalid for the target audiences"),
    });
  });

  test("a token ends with its time, its account, and what it is bound to", async () => {
    await api.post("/api/v1/namespaces/default/secrets", { metadata: { name: "s" } });
    const { token } = (await request()).body.status;
    const { token: bound } = (await request({ boundObjectRef: { apiVersion: "v1", kind: "Secret", name: "s" } })).body.status;
    expect([await review(token), await review(bound)]).toMatchObject([{ authenticated: true }, { authenticated: true }]);
    await api.remove("/api/v1/namespaces/default/secrets/s");
    expect(await review(bound)).toMatchObject({ authenticated: false, error: expect.stringContaining("invalidated") });
    await api.remove(`${accounts}/robot`);
    await api.post(accounts, { metadata: { name: "robot" } });
    // Of the same name, but another one.
    expect(await review(token)).toMatchObject({ authenticated: false, error: expect.stringContaining("UID") });
    const { token: late } = (await request()).body.status;
    await api.clock.advance(3_620_000);
    expect(await review(late)).toMatchObject({ authenticated: false, error: "service account token has expired" });
  });

  test("a pod's token tells the pod and its node", async () => {
    const container = { name: "c", image: "busybox" };
    await api.post("/api/v1/nodes", { metadata: { name: "n1" } });
    const pod = (
      await api.post("/api/v1/namespaces/default/pods", {
        metadata: { name: "p" },
        spec: { serviceAccountName: "robot", nodeName: "n1", containers: [container] },
      })
    ).body;
    const { body } = await request({ boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "p", uid: pod.metadata.uid } });
    expect((await review(body.status.token)).user.extra).toMatchObject({
      "authentication.kubernetes.io/pod-name": ["p"],
      "authentication.kubernetes.io/pod-uid": [pod.metadata.uid],
      "authentication.kubernetes.io/node-name": ["n1"],
    });
    expect((await request({ boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "p", uid: "x" } })).status).toBe(409);
    const other = await api.post("/api/v1/namespaces/default/pods", { metadata: { name: "q" }, spec: { containers: [container] } });
    expect(other.status).toBe(201);
    expect((await request({ boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "q" } })).body.message).toContain(
      "different serviceaccount name",
    );
  });

  test("nonsense is no token", async () => {
    for (const token of ["x", "a.b.c", "…"]) expect(await review(token)).toMatchObject({ authenticated: false });
    expect((await api.post("/apis/authentication.k8s.io/v1/tokenreviews", { spec: {} })).status).toBe(400);
  });
});

test("others can verify: the key set and its discovery", async () => {
  const keys = await api.get("/openid/v1/jwks");
  expect(keys.body.keys).toEqual([expect.objectContaining({ kty: "EC", crv: "P-256", alg: "ES256", use: "sig" })]);
  expect((await api.get("/.well-known/openid-configuration")).body).toMatchObject({
    issuer,
    id_token_signing_alg_values_supported: ["ES256"],
  });
});

test("who am I, and what may I do", async () => {
  const whoami = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {});
  expect(whoami.body.status.userInfo).toEqual({ username: admin.name, groups: admin.groups });
  const ask = (user: string, groups: string[]) =>
    api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
      spec: { user, groups, resourceAttributes: { verb: "get", resource: "pods", namespace: "default" } },
    });
  expect((await ask("jane", [])).body.status.allowed).toBe(false);
  expect((await ask("jane", ["system:masters"])).body.status.allowed).toBe(true);
  const neither = await api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { spec: {} });
  expect([neither.status, neither.body.message]).toEqual([
    422,
    expect.stringContaining("exactly one of nonResourceAttributes or resourceAttributes must be specified"),
  ]);
  expect((await api.get("/apis/authorization.k8s.io/v1/subjectaccessreviews")).status).toBe(405);
});

test("the key outlives a restart, and a damaged one is not replaced in silence", async () => {
  const root = mkdtempSync(join(tmpdir(), "fairlead-sa-"));
  try {
    const directory = join(root, "pki");
    const first = await ensureServiceAccountKey(directory);
    expect((await ensureServiceAccountKey(directory)).id).toBe(first.id);
    expect(statSync(join(directory, "sa.key")).mode & 0o777).toBe(0o600);
    writeFileSync(join(directory, "sa.key"), "nonsense");
    await expect(ensureServiceAccountKey(directory)).rejects.toMatchObject({ code: "FL_CONFIG" });
  } finally {
    rmSync(root, { recursive: true });
  }
});
