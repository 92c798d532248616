/** Claims from their making to their end, with all other controllers against the real API server. */
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  priorityClasses,
  serviceCidrs,
  statefulSets,
  storageClasses,
} from "../../api/resources.ts";
import { startPretendCluster, until, type PretendCluster } from "../pretend-cluster.cases.ts";
import { webTemplate } from "../testing.ts";

let cluster: PretendCluster;
let removed: string[];

beforeEach(async () => {
  removed = [];
  cluster = await startPretendCluster(["node-1"], {
    volumeDirectory: "/data/volumes",
    removeVolumeDirectory: async (path) => void removed.push(path),
    serviceClusterIPRanges: ["127.96.0.0/16"],
  });
  await until(async () => (await cluster.list(storageClasses)).length === 1);
});

afterEach(async () => {
  await cluster.stop();
  expect(cluster.complaints).toEqual([]);
});

const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } };
const phaseOf = async (name: string) => (await cluster.get(persistentVolumeClaims, name)).status?.phase;

test("every cluster has its classes and its range", { timeout: 60_000 }, async () => {
  await until(async () => (await cluster.list(priorityClasses)).length === 2);
  expect((await cluster.list(priorityClasses)).map(({ value }) => value)).toEqual([2_000_000_000, 2_000_001_000]);
  await until(async () => (await cluster.get(serviceCidrs, "kubernetes")).status?.conditions?.[0]?.status === "True");
});

test("a StatefulSet's claims get directories, which go with them", { timeout: 60_000 }, async () => {
  const metadata = { name: "db", namespace: "default" };
  await cluster.client.create(statefulSets, {
    metadata,
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "web" } },
      template: webTemplate(),
      volumeClaimTemplates: [{ metadata: { name: "data" }, spec }],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
    },
  });
  await until(async () => (await cluster.get(statefulSets, "db")).status?.readyReplicas === 2);
  await until(async () => (await phaseOf("data-db-0")) === "Bound" && (await phaseOf("data-db-1")) === "Bound");
  const claim = await cluster.get(persistentVolumeClaims, "data-db-0");
  expect(claim).toMatchObject({ spec: { storageClassName: "standard" }, status: { capacity: { storage: "1Mi" } } });
  const volume = await cluster.get(persistentVolumes, claim.spec?.volumeName ?? "");
  expect(volume).toMatchObject({
    spec: {
      hostPath: { path: `/data/volumes/${volume.metadata.name}` },
      persistentVolumeReclaimPolicy: "Delete",
      claimRef: { name: "data-db-0" },
    },
    status: { phase: "Bound" },
  });
  await until(async () => (await cluster.get(persistentVolumeClaims, "data-db-1")).metadata.ownerReferences?.[0]?.kind === "StatefulSet");
  await cluster.client.delete(statefulSets, metadata, { propagationPolicy: "Background" });
  await until(
    async () => (await cluster.list(persistentVolumes)).length === 0 && (await cluster.list(persistentVolumeClaims)).length === 0,
  );
  expect(removed).toHaveLength(2);
  expect(removed).toContain(volume.spec?.hostPath?.path);
});

test("a claim that a pod mounts stays until the pod is gone", { timeout: 60_000 }, async () => {
  const metadata = { name: "data", namespace: "default" };
  await cluster.client.create(persistentVolumeClaims, { metadata, spec });
  await until(async () => (await phaseOf("data")) === "Bound");
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "data" } }];
  await cluster.client.create(pods, {
    metadata: { name: "user", namespace: "default" },
    spec: { volumes, containers: [{ name: "c", image: "x" }] },
  });
  await until(async () => (await cluster.get(pods, "user")).status?.phase === "Running");
  await cluster.client.delete(persistentVolumeClaims, metadata);
  expect((await cluster.get(persistentVolumeClaims, "data")).metadata.deletionTimestamp).toBeDefined();
  await cluster.client.delete(pods, { namespace: "default", name: "user" });
  await until(() => cluster.isGone(persistentVolumeClaims, "data"));
});

test("a volume made by hand is taken, and kept when its claim is gone", { timeout: 60_000 }, async () => {
  await cluster.client.create(persistentVolumes, {
    metadata: { name: "by-hand" },
    spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "5Mi" }, hostPath: { path: "/srv" } },
  });
  await until(async () => (await cluster.get(persistentVolumes, "by-hand")).status?.phase === "Available");
  const metadata = { name: "data", namespace: "default" };
  await cluster.client.create(persistentVolumeClaims, { metadata, spec: { ...spec, storageClassName: "" } });
  await until(async () => (await phaseOf("data")) === "Bound");
  expect((await cluster.get(persistentVolumeClaims, "data")).status?.capacity).toEqual({ storage: "5Mi" });
  await cluster.client.delete(persistentVolumeClaims, metadata);
  await until(async () => (await cluster.get(persistentVolumes, "by-hand")).status?.phase === "Released");
  expect(removed).toEqual([]);
});
