/** A real kubectl and every kind of workload, whose pods are real processes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";
import { findKubectls, runKubectl, type Kubectl } from "../support/kubectl.ts";

/** The newest: what differs between them is in `kubectl.test.ts`. */
const kubectl = findKubectls().at(-1);

if (kubectl === undefined) test("workloads", (context) => context.skip("this machine has no kubectl"));
else describe(`with kubectl ${kubectl.minor}`, { timeout: 120_000 }, () => scenario(kubectl));

/** A pod that writes who it is, and then waits or ends. */
const container = (script: string) => ({ name: "main", image: "node:26", command: ["node", "-e", script] });
const waits = (text = "process.env.HOSTNAME"): object => container(`console.log(${text}); setInterval(() => {}, 1e6)`);
const labels = (app: string) => ({ selector: { matchLabels: { app } }, template: { metadata: { labels: { app } } } });

function workload(kind: string, name: string, spec: object, containers: readonly object[], podSpec: object = {}): string {
  const { selector, template } = labels(name);
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind,
    metadata: { name },
    spec: { selector, template: { ...template, spec: { containers, terminationGracePeriodSeconds: 1, ...podSpec } }, ...spec },
  });
}

function scenario(tool: Kubectl): void {
  let cluster: TestCluster;
  let kubeconfig: string;
  const run = (args: string, input?: string) =>
    runKubectl(tool, args.split(" "), { kubeconfig, ...(input === undefined ? {} : { input }) });
  const ok = async (args: string, input?: string): Promise<string> => {
    const { code, stdout, stderr } = await run(args, input);
    expect(`${args}: exit code ${code}\n${code === 0 ? "" : stderr}`).toBe(`${args}: exit code 0\n`);
    return stdout;
  };
  const names = async (selector: string): Promise<string> =>
    (await ok(`get pods -l ${selector} -o jsonpath={.items[*].metadata.name}`)).split(" ").sort().join(" ");

  beforeAll(async () => {
    cluster = await startCluster({ runtime: "process" });
    kubeconfig = await cluster.kubeconfig();
  }, 120_000);
  afterAll(() => cluster.stop());

  test("a StatefulSet: names, order, rollout, undo, scale", async () => {
    const set = (text: string) => workload("StatefulSet", "db", { serviceName: "db", replicas: 3 }, [waits(text)]);
    await ok("apply -f -", set("process.env.HOSTNAME"));
    expect(await ok("rollout status statefulset/db --timeout=90s")).toContain("roll out complete: 3 new pods have been updated");
    expect(await names("app=db")).toBe("db-0 db-1 db-2");
    expect(await ok("logs db-1")).toBe("db-1\n");
    const started = (await ok("get pods -l app=db --sort-by=.status.startTime -o jsonpath={.items[*].metadata.name}")).trim();
    expect(started).toBe("db-0 db-1 db-2");
    expect(await ok("get sts")).toMatch(/NAME +READY +AGE\ndb +3\/3 /);
    await ok("apply -f -", set("'second'"));
    await ok("rollout status statefulset/db --timeout=90s");
    expect(await ok("logs db-2")).toBe("second\n");
    expect(await ok("rollout history statefulset/db")).toMatch(/REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>/);
    await ok("rollout undo statefulset/db");
    await ok("rollout status statefulset/db --timeout=90s");
    expect(await ok("logs db-2")).toBe("db-2\n");
    await ok("scale statefulset db --replicas=1");
    await ok("wait --for=delete pod/db-1 --timeout=60s");
    expect(await names("app=db")).toBe("db-0");
    expect(await ok("describe statefulset db")).toMatch(/Pods Status: +1 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed/);
    expect(await ok("get controllerrevisions")).toMatch(/db-\w+ +statefulset\.apps\/db +2 /);
    await ok("delete statefulset db");
    await ok("wait --for=delete pod/db-0 --timeout=60s");
  });

  test("a Deployment: pause, resume, undo to a revision, recreate, deadline", async () => {
    const deployment = (spec: object = {}, text = "1") => workload("Deployment", "web", { replicas: 2, ...spec }, [waits(text)]);
    const settle = () => ok("rollout status deployment/web --timeout=90s");
    const running = async () => (await ok("logs -l app=web --tail=1")).trim();
    await ok("apply -f -", deployment());
    await settle();
    await ok("rollout pause deployment/web");
    await ok("apply -f -", deployment({ paused: true }, "2"));
    expect(await ok("get rs -l app=web -o name")).toMatch(/^replicaset\.apps\/web-\S+\n$/);
    await ok("rollout resume deployment/web");
    await settle();
    await expect.poll(running, { timeout: 60_000 }).toBe("2\n2");
    await ok("apply -f -", deployment({}, "3"));
    await settle();
    expect(await ok("rollout history deployment/web")).toMatch(/1 +<none>\n2 +<none>\n3 +<none>/);
    await ok("rollout undo deployment/web --to-revision=1");
    await settle();
    await expect.poll(running, { timeout: 60_000 }).toBe("1\n1");
    expect(await ok("rollout history deployment/web")).toMatch(/2 +<none>\n3 +<none>\n4 +<none>/);
    await ok("apply -f -", deployment({ strategy: { type: "Recreate", rollingUpdate: null } }, "4"));
    await settle();
    await expect.poll(running, { timeout: 60_000 }).toBe("4\n4");
    expect(await ok("describe deployment web")).toMatch(/StrategyType: +Recreate/);
    const stuck = { progressDeadlineSeconds: 1, strategy: { type: "RollingUpdate" } };
    await ok("apply -f -", workload("Deployment", "web", { replicas: 2, ...stuck }, [waits()], { nodeSelector: { disk: "ssd" } }));
    const { code, stderr } = await run("rollout status deployment/web --timeout=90s");
    expect([code, stderr]).toEqual([1, expect.stringContaining("exceeded its progress deadline")]);
    await ok("delete deployment web");
  });

  test("a claim keeps what its pod wrote", async () => {
    const claim = { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } } };
    const script =
      "const fs=require('fs'); let n=0; try { n=Number(fs.readFileSync('data/n')) } catch {} fs.writeFileSync('data/n', String(n+1)); console.log('start', n+1); setInterval(() => {}, 1e6)";
    const writes = { ...container(script), workingDir: "/", volumeMounts: [{ name: "data", mountPath: "/data" }] };
    await ok("apply -f -", workload("StatefulSet", "disk", { serviceName: "disk", volumeClaimTemplates: [claim] }, [writes]));
    await ok("rollout status statefulset/disk --timeout=90s");
    expect(await ok("get pvc")).toMatch(/data-disk-0 +Bound +pvc-\S+ +1Mi +RWO +standard /);
    await expect.poll(() => ok("logs disk-0"), { timeout: 60_000 }).toBe("start 1\n");
    await ok("delete pod disk-0");
    await ok("rollout status statefulset/disk --timeout=90s");
    await expect.poll(async () => (await run("logs disk-0")).stdout, { timeout: 60_000 }).toBe("start 2\n");
    await ok("delete statefulset disk");
    await ok("delete pvc data-disk-0");
    await expect.poll(() => ok("get pv -o name"), { timeout: 60_000 }).toBe("");
  });

  test("a DaemonSet: one pod on each node, rollout, cordon", async () => {
    const set = (text: string) => workload("DaemonSet", "agent", {}, [waits(text)]);
    await ok("apply -f -", set("'one'"));
    expect(await ok("rollout status daemonset/agent --timeout=90s")).toContain("successfully rolled out");
    expect(await ok("get ds -o wide")).toMatch(/agent +1 +1 +1 +1 +1 +<none> +\S+ +main +node:26 +app=agent/);
    const node = (await ok("get nodes -o jsonpath={.items[0].metadata.name}")).trim();
    expect(await ok(`cordon ${node}`)).toContain("cordoned");
    expect(await ok("get nodes")).toContain("Ready,SchedulingDisabled");
    await ok("apply -f -", set("'two'"));
    await ok("rollout status daemonset/agent --timeout=90s");
    await expect.poll(() => ok("logs daemonset/agent"), { timeout: 20_000 }).toBe("two\n");
    await ok(`uncordon ${node}`);
    expect(await ok("describe daemonset agent")).toMatch(/Number of Nodes Scheduled with Up-to-date Pods: 1/);
    await ok("delete daemonset agent");
  });

  test("a Job: indexed, and one that fails", async () => {
    const job = (name: string, script: string, spec: object) =>
      JSON.stringify({
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { name },
        spec: { template: { spec: { restartPolicy: "Never", containers: [container(script)] } }, ...spec },
      });
    const indexed = { completions: 3, parallelism: 2, completionMode: "Indexed" };
    await ok("apply -f -", job("count", "console.log('index', process.env.JOB_COMPLETION_INDEX)", indexed));
    await ok("wait --for=condition=complete job/count --timeout=90s");
    const logs = await ok("logs -l job-name=count --prefix=false");
    expect(logs.trim().split("\n").sort()).toEqual(["index 0", "index 1", "index 2"]);
    expect(await ok("get job count")).toMatch(/NAME +STATUS +COMPLETIONS +DURATION +AGE\ncount +Complete +3\/3 /);
    expect(await ok("describe job count")).toMatch(/Pods Statuses: +0 Active \(0 Ready\) \/ 3 Succeeded \/ 0 Failed/);
    await ok("delete job count");
    await ok("wait --for=delete pod -l job-name=count --timeout=60s");
    await ok("apply -f -", job("doomed", "process.exit(3)", { backoffLimit: 0 }));
    await ok("wait --for=condition=failed job/doomed --timeout=90s");
    expect(await ok("get job doomed -o jsonpath={.status.conditions[?(@.type=='Failed')].reason}")).toBe("BackoffLimitExceeded");
    await ok("delete job doomed");
  });

  test("a CronJob: by the clock and by hand", async () => {
    const template = { spec: { template: { spec: { restartPolicy: "Never", containers: [container("console.log('tick')")] } } } };
    const spec = { schedule: "@every 1s", timeZone: "Europe/Berlin", jobTemplate: template };
    await ok("apply -f -", JSON.stringify({ apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "tick" }, spec }));
    await expect.poll(() => ok("get cronjob tick -o jsonpath={.status.lastSuccessfulTime}"), { timeout: 90_000 }).not.toBe("");
    expect(await ok("get cronjob")).toMatch(
      /NAME +SCHEDULE +TIMEZONE +SUSPEND +ACTIVE +LAST SCHEDULE +AGE\ntick +@every 1s +Europe\/Berlin +False +\d +\d+s +/,
    );
    await ok("create job by-hand --from=cronjob/tick");
    await ok("wait --for=condition=complete job/by-hand --timeout=90s");
    expect(await ok("logs job/by-hand")).toBe("tick\n");
    expect(await ok("describe cronjob tick")).toContain("SuccessfulCreate");
    await ok("delete cronjob tick");
    await ok("wait --for=delete job/by-hand --timeout=60s");
  });

  test("what is not enforced is said", async () => {
    const policy = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "deny" }, spec: { podSelector: {} } };
    const { code, stderr } = await run("apply -f -", JSON.stringify(policy));
    expect([code, stderr]).toEqual([0, expect.stringContaining("Warning: NetworkPolicies are stored but not enforced")]);
    expect(await ok("get netpol")).toMatch(/deny +<none> /);
  });

  test("a pod that fits nowhere says why", async () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "picky" },
      spec: { nodeSelector: { disk: "ssd" }, containers: [waits()] },
    };
    await ok("apply -f -", JSON.stringify(pod));
    await expect
      .poll(() => ok("describe pod picky"), { timeout: 60_000 })
      .toContain("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector");
    await ok("delete pod picky");
  });
}
