import { expect, test } from "vitest";
import type { Pod, PersistentVolume, PersistentVolumeClaim } from "../../api/types.ts";
import { FakeClock, rfc3339 } from "../../lib/clock.ts";
import type { Client } from "../../client/client.ts";
import { FakeCluster } from "../fake-cluster.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../api/resources.ts";
import { loadVolumes } from "./sources.ts";
import { PodTokens } from "./tokens.ts";

const pod: Pod = { metadata: { name: "p", namespace: "n", uid: "u" }, spec: { serviceAccountName: "robot", containers: [] } };

function issuer(clock: FakeClock, lifeSeconds: number) {
  const asked: unknown[] = [];
  const client = {
    post: async (_: unknown, ref: object, subresource: string, body: object) => {
      asked.push({ ref, subresource, ...body });
      return { status: { token: `t${asked.length}`, expirationTimestamp: rfc3339(clock.now() + lifeSeconds * 1000) } };
    },
  } as unknown as Client;
  return { asked, tokens: new PodTokens(client, clock) };
}

test("a token is asked for as the pod's account, bound to the pod, and kept until four fifths of its life", async () => {
  const clock = new FakeClock(1_000_000);
  const { asked, tokens } = issuer(clock, 1000);
  const projection = { path: "t", audience: "vault", expirationSeconds: 1000 };
  expect(await tokens.token(pod, projection)).toEqual({ text: "t1", refreshAt: 1_000_000 + 800_000 });
  expect(asked[0]).toMatchObject({
    ref: { namespace: "n", name: "robot" },
    subresource: "token",
    spec: { audiences: ["vault"], expirationSeconds: 1000, boundObjectRef: { kind: "Pod", name: "p", uid: "u" } },
  });
  await clock.advanceAsync(799_000);
  expect((await tokens.token(pod, projection)).text).toBe("t1");
  expect((await tokens.token(pod, { ...projection, audience: "other" })).text).toBe("t2");
  await clock.advanceAsync(2_000);
  expect((await tokens.token(pod, projection)).text).toBe("t3");
  tokens.forget("u");
  expect((await tokens.token(pod, projection)).text).toBe("t4");
});

test("a long-lived token is replaced every day", async () => {
  const clock = new FakeClock(0);
  const { tokens } = issuer(clock, 40 * 86_400);
  expect((await tokens.token(pod, { path: "t" })).refreshAt).toBe(86_400_000);
});

const objects = async () => ({ configMap: () => undefined, secret: () => undefined });
const claimed: Pod = {
  ...pod,
  spec: {
    containers: [],
    volumes: [
      { name: "v", persistentVolumeClaim: { claimName: "c" } },
      { name: "e", ephemeral: {} },
    ],
  },
};

test("a claim leads to its volume's directory once it is bound; the first token to end says when to come again", async () => {
  const cluster = new FakeCluster();
  const clock = new FakeClock(0);
  const { tokens } = issuer(clock, 100);
  const load = (of: Pod) => loadVolumes(of, { client: cluster.client, tokens, objects });
  expect((await load(claimed)).sources.claim("c")).toMatchObject({
    kind: "missing",
    message: expect.stringContaining('"c" not found') as string,
  });
  const claim: PersistentVolumeClaim = { metadata: { name: "c", namespace: "n" }, spec: { volumeName: "pv" } };
  cluster.create(persistentVolumeClaims, claim);
  expect((await load(claimed)).sources.claim("c")).toEqual({ kind: "missing", message: "PVC n/c is not bound" });
  cluster.update(persistentVolumeClaims, { ...claim, status: { phase: "Bound" } });
  const volume: PersistentVolume = { metadata: { name: "pv" }, spec: { local: { path: "/d" } } };
  cluster.create(persistentVolumes, volume);
  expect((await load(claimed)).sources.claim("c")).toEqual({ kind: "bound", path: "/d" });
  expect((await load(claimed)).sources.claim("p-e").kind).toBe("missing");
  const sources = [{ serviceAccountToken: { path: "a" } }, { serviceAccountToken: { path: "b", audience: "x" } }];
  const withTokens = { ...pod, spec: { containers: [], volumes: [{ name: "t", projected: { sources } }] } };
  const loaded = await load(withTokens);
  expect(loaded.refreshAt).toBe(80_000);
  expect(sources.map(({ serviceAccountToken }) => loaded.sources.token(serviceAccountToken))).toEqual(["t1", "t2"]);
});
