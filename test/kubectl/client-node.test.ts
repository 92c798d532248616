/** The JavaScript client library of Kubernetes itself against this server: informers, patches, exec, port-forward, leader election's leases. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { PassThrough, Writable } from "node:stream";
import * as k8s from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";

let cluster: TestCluster;
let config: k8s.KubeConfig;

beforeAll(async () => {
  cluster = await startCluster({ runtime: "process" });
  config = new k8s.KubeConfig();
  config.loadFromFile(await cluster.kubeconfig());
}, 60_000);
afterAll(() => cluster?.stop());

const timeout = 60_000;

describe("@kubernetes/client-node", { timeout, concurrent: false }, () => {
  test("lists, creates, patches in three ways, and is told of conflicts", async () => {
    const core = config.makeApiClient(k8s.CoreV1Api);
    const namespace = "default";
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "settings" }, data: { a: "1" } } });
    const merge = k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.MergePatch);
    const patched = await core.patchNamespacedConfigMap({ namespace, name: "settings", body: { data: { b: "2" } } }, merge);
    expect(patched.data).toEqual({ a: "1", b: "2" });
    const json = k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.JsonPatch);
    const body = [{ op: "remove", path: "/data/a" }];
    expect((await core.patchNamespacedConfigMap({ namespace, name: "settings", body }, json)).data).toEqual({ b: "2" });
    const stale = { ...patched, data: { c: "3" } };
    await expect(core.replaceNamespacedConfigMap({ namespace, name: "settings", body: stale })).rejects.toMatchObject({ code: 409 });
  });

  test("informs of what is there and of what comes", async () => {
    const core = config.makeApiClient(k8s.CoreV1Api);
    const list = () => core.listNamespacedSecret({ namespace: "default", labelSelector: "watched=yes" });
    const path = "/api/v1/namespaces/default/secrets";
    const secret = (name: string) => ({
      namespace: "default",
      body: { metadata: { name, labels: { watched: "yes" } }, stringData: { k: name } },
    });
    await core.createNamespacedSecret(secret("before"));
    const informer = k8s.makeInformer(config, path, list, "watched=yes");
    const seen: string[] = [];
    for (const event of ["add", "update", "delete"] as const)
      informer.on(event, (object) => seen.push(`${event} ${object.metadata?.name}`));
    await informer.start();
    try {
      await core.createNamespacedSecret(secret("after"));
      await core.deleteNamespacedSecret({ namespace: "default", name: "before" });
      await expect.poll(() => seen, { timeout }).toEqual(["add before", "add after", "delete before"]);
    } finally {
      await informer.stop();
    }
  });

  test("runs a command in a pod, with its input, its output and how it ended; and reaches its port", async () => {
    const box = "box";
    const core = config.makeApiClient(k8s.CoreV1Api);
    // The probe leaves without reading: what that resets must not end the server.
    const server = "require('net').createServer(s=>s.on('error',()=>{}).end('hello')).listen(7000,process.env.POD_IP)";
    const field = { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } };
    const container = {
      name: "main",
      image: "node",
      command: ["node", "-e", server],
      env: [field],
      readinessProbe: { tcpSocket: { port: 7000 }, periodSeconds: 1 },
    };
    await core.createNamespacedPod({
      namespace: "default",
      body: { metadata: { name: box }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } },
    });
    await cluster.untilReady(`pod/${box}`, { timeout });

    let output = "";
    const stdout = new Writable({ write: (chunk: Buffer, _encoding, done) => ((output += chunk.toString()), done()) });
    const stdin = new PassThrough();
    stdin.end("through the pipe");
    const status = await new Promise<k8s.V1Status>((resolve, reject) => {
      const command = ["sh", "-c", "cat; exit 3"];
      new k8s.Exec(config).exec("default", box, "main", command, stdout, null, stdin, false, resolve).catch(reject);
    });
    expect([output, status.status, status.details?.causes?.[0]?.message]).toEqual(["through the pipe", "Failure", "3"]);

    const forward = new k8s.PortForward(config);
    const faults = new PassThrough();
    const fault = once(faults, "data").then(([text]) => Promise.reject(new Error(`port-forward: ${String(text)}`)));
    const local = createServer((socket) => void forward.portForward("default", box, [7000], socket, faults, socket));
    await new Promise<void>((resolve) => local.listen(0, "127.0.0.1", resolve));
    try {
      const { connect } = await import("node:net");
      const client = connect((local.address() as AddressInfo).port, "127.0.0.1");
      const [chunk] = (await Promise.race([once(client, "data"), fault])) as [Buffer];
      expect(chunk.toString()).toBe("hello");
      client.destroy();
    } finally {
      local.close();
    }
  });

  test("elects one leader by a Lease: of two writers with the same version one loses", async () => {
    const leases = config.makeApiClient(k8s.CoordinationV1Api);
    const namespace = "default";
    const spec = { holderIdentity: "none", leaseDurationSeconds: 15, acquireTime: new k8s.V1MicroTime(), renewTime: new k8s.V1MicroTime() };
    const lease = await leases.createNamespacedLease({ namespace, body: { metadata: { name: "leader" }, spec } });
    const take = (holderIdentity: string) =>
      leases.replaceNamespacedLease({ namespace, name: "leader", body: { ...lease, spec: { ...spec, holderIdentity } } });
    const outcomes = await Promise.allSettled(["a", "b", "c"].map(take));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});
