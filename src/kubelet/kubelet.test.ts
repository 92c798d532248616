import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { configMaps, leases, nodes, pods, secrets, services } from "../api/resources.ts";
import type { Container, Node, Pod, PodSpec } from "../api/types.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { createKubelet, type Kubelet, type KubeletOptions } from "./kubelet.ts";
import { createFunctionRuntime, type FunctionHandler } from "./runtime/function/function-runtime.ts";
import { decidePull } from "./runtime/oci/pulled-images.ts";
import type { RealImages } from "./runtime/process/images.ts";
import { createProcessRuntime } from "./runtime/process/process-runtime.ts";
import type { Runtime } from "./runtime/runtime.ts";

let directory: string;
let cluster: FakeCluster;
let kubelet: Kubelet;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-kubelet-"));
  cluster = new FakeCluster();
});

afterEach(async () => {
  await kubelet.stop();
  rmSync(directory, { recursive: true, force: true });
});

// Each test process takes addresses of its own, so that runs side by side do not meet.
const network = `127.${200 + (process.pid % 50)}.${Math.floor(process.pid / 50) % 250}`;

function images() {
  return [{ repositories: ["node"], entrypoint: [], cmd: ["node"], env: {}, path: [join(process.execPath, "..")] }];
}

async function start(runtime: Runtime, options: Partial<KubeletOptions> = {}): Promise<void> {
  kubelet = createKubelet({
    nodeName: "n1",
    nodeAddresses: [{ type: "InternalIP", address: "127.0.0.1" }],
    podCIDRs: [`${network}.0/24`],
    client: cluster.client,
    informers: cluster.informers,
    recorder: cluster.recorder,
    runtime,
    dataDir: directory,
    version: "v1.36.0",
    backOff: { initialMs: 60, maxMs: 1000 },
    terminationDelayMs: 5,
    ...options,
  });
  await kubelet.start();
}

const startProcesses = (options?: Partial<KubeletOptions>) =>
  start(createProcessRuntime({ directory: join(directory, "pods"), images: images(), version: "0" }), options);
const startFunctions = (handlers: Record<string, FunctionHandler>) => start(createFunctionRuntime({ handlers, version: "0" }));

function makePod(name: string, container: Partial<Container>, spec: Partial<PodSpec> = {}): void {
  cluster.create(pods, {
    metadata: { name, namespace: "default" },
    spec: { nodeName: "n1", terminationGracePeriodSeconds: 5, ...spec, containers: [{ name: "main", image: "node:26", ...container }] },
  });
}

const nodeScript = (script: string): Partial<Container> => ({ command: ["node", "-e", script] });
const stay = "setInterval(() => {}, 1e6);";

const getPod = (name: string) => cluster.get(pods, { namespace: "default", name });
const ref = (name: string) => ({ namespace: "default", name, uid: getPod(name)?.metadata.uid ?? "" });
const conditionOf = (name: string, type: string) => getPod(name)?.status?.conditions?.find((condition) => condition.type === type)?.status;
const mainStatus = (name: string) => getPod(name)?.status?.containerStatuses?.[0];

async function until<T>(read: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const value = await read();
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

const isReady = (name: string) => until(() => conditionOf(name, "Ready") === "True");
const isGone = (name: string) => until(() => getPod(name) === undefined);
const eventOf = (reason: string) => until(() => cluster.events.find((event) => event.reason === reason));

async function logOf(name: string, options: object = {}): Promise<string> {
  const all = { container: "main", follow: false, previous: false, timestamps: false, ...options };
  const chunks: Uint8Array[] = [];
  for await (const chunk of await kubelet.logs(ref(name), all, new AbortController().signal)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function run(name: string, command: readonly string[], options: object = {}): Promise<{ output: string; status: unknown }> {
  const session = await kubelet.exec(ref(name), {
    container: "main",
    command,
    stdin: false,
    stdout: true,
    stderr: true,
    tty: false,
    ...options,
  });
  let output = "";
  session.onOutput((_, chunk) => (output += Buffer.from(chunk).toString()));
  return { status: await session.done, output };
}

/** A process that has ended counts as such, whether or not its parent has looked. */
function alive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

test("the node registers itself, Ready, with a lease", async () => {
  await startFunctions({});
  const node = cluster.get(nodes, { name: "n1" });
  expect(node?.status?.conditions?.find(({ type }) => type === "Ready")?.status).toBe("True");
  expect(node?.metadata.labels).toMatchObject({ "kubernetes.io/hostname": "n1" });
  await until(() => cluster.get(leases, { namespace: "kube-node-lease", name: "n1" }));
});

test("a function pod serves at its own address, and ends with its pod", async () => {
  await startFunctions({ hello: ({ ip }) => createServer((_, response) => response.end(`hello from ${ip}`)) });
  makePod("web", { image: "hello", ports: [{ containerPort: 8080 }] });
  await isReady("web");
  const ip = getPod("web")?.status?.podIP;
  expect(await (await fetch(`http://${ip}:8080/`)).text()).toBe(`hello from ${ip}`);
  expect(kubelet.podByAddress(ip ?? "")?.metadata.name).toBe("web");
  cluster.remove(pods, { namespace: "default", name: "web" });
  await isGone("web");
  await expect(fetch(`http://${ip}:8080/`)).rejects.toThrow();
});

test("a function that throws fails its container; an unknown image says which there are", async () => {
  await startFunctions({
    broken() {
      throw new Error("no luck");
    },
  });
  makePod("a", { image: "broken" }, { restartPolicy: "Never" });
  makePod("b", { image: "unknown" });
  await until(() => getPod("a")?.status?.phase === "Failed");
  expect(mainStatus("a")?.state?.terminated).toMatchObject({ exitCode: 1, reason: "Error" });
  expect(await logOf("a", { follow: true })).toContain("no luck");
  await until(() => mainStatus("b")?.state?.waiting?.reason === "ImagePullBackOff");
  expect(mainStatus("b")?.state?.waiting?.message).toContain('no handler stands behind image "unknown"; there are: broken');
});

test("a process gets its address, its Services and its variables, and nothing of ours", async () => {
  process.env["FAIRLEAD_TEST_SECRET"] = "do not leak";
  await startProcesses({ podEnvironment: (_, ip) => ({ HTTP_PROXY: `http://${ip}` }) });
  cluster.create(services, { metadata: { name: "web", namespace: "default" }, spec: { clusterIP: "127.96.0.9", ports: [{ port: 80 }] } });
  cluster.create(configMaps, { metadata: { name: "conf", namespace: "default" }, data: { color: "blue" } });
  makePod(
    "p",
    {
      ...nodeScript("console.log(JSON.stringify(process.env))"),
      ports: [{ containerPort: 8080 }],
      env: [
        { name: "COLOR", valueFrom: { configMapKeyRef: { name: "conf", key: "color" } } },
        { name: "URL", value: "http://$(WEB_SERVICE_HOST):$(PORT)" },
      ],
    },
    { restartPolicy: "Never" },
  );
  await until(() => getPod("p")?.status?.phase === "Succeeded");
  const env = JSON.parse(await logOf("p", { follow: true })) as Record<string, string>;
  const ip = getPod("p")?.status?.podIP;
  expect(env).toMatchObject({
    HOST: ip,
    POD_IP: ip,
    PORT: "8080",
    HOSTNAME: "p",
    COLOR: "blue",
    URL: "http://127.96.0.9:8080",
    HTTP_PROXY: `http://${ip}`,
  });
  expect(Object.keys(env)).not.toContain("FAIRLEAD_TEST_SECRET");
  expect(mainStatus("p")?.state?.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
});

test("a readiness probe makes the pod Ready soon after it serves", async () => {
  await startProcesses();
  makePod("web", {
    ...nodeScript("require('http').createServer((q, r) => r.end('ok')).listen(8080, process.env.HOST)"),
    ports: [{ name: "http", containerPort: 8080 }],
    readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 5 },
  });
  await until(() => mainStatus("web")?.state?.running);
  expect(conditionOf("web", "Ready")).toBe("False");
  await isReady("web");
  expect(cluster.events.map(({ reason }) => reason)).not.toContain("Unhealthy");
});

test("a killed process is seen at once and restarted; its counts and last state tell", async () => {
  await startProcesses();
  makePod("p", nodeScript(`console.log(process.pid); ${stay}`));
  await isReady("p");
  const pid = await until(async () => Number(await logOf("p")) || undefined);
  process.kill(pid, "SIGKILL");
  await until(() => mainStatus("p")?.restartCount === 1);
  await isReady("p");
  expect(mainStatus("p")?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: "Error" });
  expect(await logOf("p", { previous: true })).toBe(`${pid}\n`);
});

test("a container that keeps failing is held back", async () => {
  await startProcesses({ backOff: { initialMs: 60_000, maxMs: 60_000 } });
  makePod("p", nodeScript("process.exit(3)"));
  await until(() => mainStatus("p")?.state?.waiting?.reason === "CrashLoopBackOff");
  expect(mainStatus("p")).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 3 } } });
  expect(mainStatus("p")?.state?.waiting?.message).toMatch(/^back-off 1m0s restarting failed container=main pod=p_default\(/);
  expect(await eventOf("BackOff")).toMatchObject({ type: "Warning" });
});

test("a command that does not exist is named, and others are not touched", async () => {
  await startProcesses({ backOff: { initialMs: 60_000, maxMs: 60_000 } });
  makePod("good", nodeScript(stay));
  makePod("bad", { command: ["no-such-command"] });
  await isReady("good");
  await until(() => mainStatus("bad")?.state?.waiting?.reason === "CrashLoopBackOff");
  const text = 'unable to start container process: exec: "no-such-command": executable file not found in $PATH';
  expect(mainStatus("bad")?.lastState?.terminated).toMatchObject({ exitCode: 128, reason: "StartError", message: text });
  expect(cluster.events).toContainEqual({ object: "default/bad", type: "Warning", reason: "Failed", message: `Error: ${text}` });
  expect(conditionOf("good", "Ready")).toBe("True");
});

test("images: unknown with a command runs with a warning, unknown without says what to do", async () => {
  await startProcesses();
  makePod("a", { image: "ghcr.io/x/y:1", command: ["sleep", "1000"] });
  makePod("b", { image: "nginx" });
  await isReady("a");
  expect((await eventOf("ImageNotUsed")).message).toContain('image "ghcr.io/x/y:1" is not used');
  await until(() => mainStatus("b")?.state?.waiting?.reason === "ImagePullBackOff");
  expect(mainStatus("b")?.state?.waiting?.message).toContain("Set the container's command, or use one of: node");
});

test("images are pulled: told at each step, tried again, with the pod's secrets; nobody waits for another's", async () => {
  const asked: unknown[] = [];
  const { promise: slow, resolve: arrive } = Promise.withResolvers<void>();
  const realImages: RealImages = {
    find: () => undefined,
    answer: (container) => decidePull(container, undefined),
    async pull({ image }, credentials) {
      asked.push({ image, credentials });
      if (image === "slow") await slow;
      if (image === "late" && asked.length < 3) return { kind: "absent", message: "no such manifest" };
      return { kind: "present", imageID: `docker.io/library/${image}@sha256:0`, size: 42 };
    },
  };
  await start(createProcessRuntime({ directory: join(directory, "pods"), images: [], realImages, version: "0" }));
  const auths = { "registry.example": { auth: Buffer.from("me:secret").toString("base64") } };
  cluster.create(secrets, {
    metadata: { name: "pull", namespace: "default" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") },
  });
  const sleeps = { command: ["sleep", "1000"] };
  makePod("slow", { image: "slow", ...sleeps });
  await eventOf("Pulling");
  makePod("late", { image: "late", ...sleeps }, { imagePullSecrets: [{ name: "pull" }] });
  makePod("never", { image: "never", imagePullPolicy: "Never", ...sleeps });
  await isReady("late");
  await until(() => mainStatus("never")?.state?.waiting?.reason === "ErrImageNeverPull");
  expect(mainStatus("slow")?.state?.waiting?.reason).toBe("ContainerCreating");
  expect(mainStatus("late")?.imageID).toBe("docker.io/library/late@sha256:0");
  expect(asked.at(-1)).toEqual({ image: "late", credentials: [{ scope: "registry.example", username: "me", password: "secret" }] });
  const told = cluster.events.filter(({ object }) => object === "default/late").map(({ reason }) => reason);
  expect(told.filter((reason) => reason === "Pulling").length).toBeGreaterThanOrEqual(2);
  expect(told.slice(-4)).toEqual(["Pulling", "Pulled", "Created", "Started"]);
  expect(cluster.events.find(({ message }) => message.startsWith("Failed to pull image"))?.message).toBe(
    'Failed to pull image "late": no such manifest',
  );
  expect((await eventOf("Pulled")).message).toMatch(
    /^Successfully pulled image "late" in [\d.]+s \([\d.]+s including waiting\)\. Image size: 42 bytes\.$/,
  );
  arrive();
  await isReady("slow");
});

test("volumes lie below POD_ROOT, paths into them are led there, and they follow the ConfigMap", async () => {
  await startProcesses();
  const map = cluster.create(configMaps, { metadata: { name: "conf", namespace: "default" }, data: { "a.txt": "one" } });
  makePod(
    "p",
    {
      command: ["node", "-e", `console.log(require('fs').readFileSync(process.argv[1], 'utf8')); ${stay}`, "/etc/app/a.txt"],
      volumeMounts: [
        { name: "conf", mountPath: "/etc/app" },
        { name: "work", mountPath: "/work" },
      ],
    },
    {
      volumes: [
        { name: "conf", configMap: { name: "conf", defaultMode: 0o640 } },
        { name: "work", emptyDir: {} },
      ],
    },
  );
  await until(async () => (await logOfRunning("p")) === "one\n");
  expect(
    (await run("p", ["sh", "-c", "cd $POD_ROOT && cat etc/app/a.txt && echo x > work/f && cat work/f && stat -L -c %a etc/app/a.txt"]))
      .output,
  ).toBe("onex\n640\n");
  cluster.update(configMaps, { ...map, data: { "a.txt": "two", "b.txt": "new" } });
  await until(async () => (await run("p", ["sh", "-c", "cat $POD_ROOT/etc/app/a.txt $POD_ROOT/etc/app/b.txt"])).output === "twonew");
  expect((await eventOf("VolumesRelocated")).message).toContain("/etc/app, /work");
});

async function logOfRunning(name: string): Promise<string> {
  return mainStatus(name)?.state?.running === undefined ? "" : (await logOf(name)).replace(/\n\n$/, "\n");
}

test("a missing ConfigMap holds the pod back until it comes", async () => {
  await startProcesses();
  makePod("p", { ...nodeScript(stay), envFrom: [{ configMapRef: { name: "later" } }] });
  await until(() => mainStatus("p")?.state?.waiting?.reason === "CreateContainerConfigError");
  expect(mainStatus("p")?.state?.waiting?.message).toBe('configmap "later" not found');
  makePod("q", nodeScript(stay), { volumes: [{ name: "v", configMap: { name: "later" } }] });
  expect((await eventOf("FailedMount")).message).toBe('MountVolume.SetUp failed for volume "v" : configmap "later" not found');
  cluster.create(configMaps, { metadata: { name: "later", namespace: "default" }, data: {} });
  await isReady("p");
  await isReady("q");
});

test("deletion: preStop, SIGTERM, and the object goes last", async () => {
  await startProcesses();
  const out = join(directory, "out");
  makePod("p", {
    ...nodeScript(
      `process.on('SIGTERM', () => { require('fs').appendFileSync('${out}', 'term'); process.exit(0) }); console.log('up'); ${stay}`,
    ),
    lifecycle: { preStop: { exec: { command: ["sh", "-c", `printf 'hook ' >> ${out}`] } } },
  });
  await until(async () => (await logOfRunning("p")) === "up\n");
  const { uid } = ref("p");
  cluster.remove(pods, { namespace: "default", name: "p" });
  await isGone("p");
  expect(readFileSync(out, "utf8")).toBe("hook term");
  expect(() => readFileSync(join(directory, "pods", uid))).toThrow("ENOENT");
});

test("deletion: what ignores SIGTERM is killed when the grace period is over, children too", async () => {
  await startProcesses();
  makePod(
    "p",
    { command: ["sh", "-c", "trap '' TERM; sleep 1000 & echo $!; while :; do sleep 0.05; done"] },
    { terminationGracePeriodSeconds: 1 },
  );
  const child = await until(
    async () => mainStatus("p")?.state?.running !== undefined && Number(await logOf("p")) > 0 && Number(await logOf("p")),
  );
  const began = performance.now();
  cluster.remove(pods, { namespace: "default", name: "p" });
  await isGone("p");
  expect(performance.now() - began).toBeGreaterThan(900);
  await until(() => !alive(child));
});

test("a liveness probe restarts, and says so", async () => {
  await startProcesses();
  makePod("p", {
    ...nodeScript(stay),
    livenessProbe: { exec: { command: ["sh", "-c", "echo sick; exit 1"] }, periodSeconds: 1, failureThreshold: 1 },
  });
  await until(() => mainStatus("p")?.restartCount === 1);
  expect(cluster.events).toContainEqual({
    object: "default/p",
    type: "Warning",
    reason: "Unhealthy",
    message: "Liveness probe failed: sick",
  });
  expect(await eventOf("Killing")).toMatchObject({ message: "Container main failed liveness probe, will be restarted" });
});

/** A port that nobody listens on at any address. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("two pods that listen on all addresses are told apart by name", async () => {
  await startProcesses({ backOff: { initialMs: 60_000, maxMs: 60_000 } });
  const port = await freePort();
  const server: Partial<Container> = {
    ...nodeScript(`require('http').createServer((q, r) => r.end('ok')).listen(${port}, '0.0.0.0')`),
    ports: [{ containerPort: port }],
    readinessProbe: { httpGet: { port } },
  };
  makePod("first", server);
  await isReady("first");
  makePod("second", server);
  const ip = await until(() => getPod("second")?.status?.podIP);
  const event = await until(() => cluster.events.find(({ object, reason }) => object === "default/second" && reason === "PortConflict"));
  expect(event.message).toMatch(/pod default\/first, which listens|pod default\/first listens on port/);
  expect(event.message).toContain(`${ip}:${port}`);
  expect(event.message).toContain("bind to $HOST");
  await until(() => mainStatus("second")?.state?.waiting?.reason === "CrashLoopBackOff");
  expect(conditionOf("second", "Ready")).toBe("False");
});

test("exec: output, exit code, standard input, a terminal, a command that is not there", async () => {
  await startProcesses();
  makePod("p", nodeScript(stay));
  await isReady("p");
  expect(await run("p", ["sh", "-c", "echo out; echo $HOST >&2; exit 7"])).toMatchObject({ status: { kind: "exited", code: 7 } });
  expect((await run("p", ["sh", "-c", "[ -t 1 ] && echo 'a \"terminal\" $HOME'"], { tty: true })).output).toBe('a "terminal" $HOME\r\n');
  expect((await run("p", ["nope"])).status).toMatchObject({ kind: "failed" });
  const session = await kubelet.exec(ref("p"), {
    container: "main",
    command: ["cat"],
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
  });
  let output = "";
  session.onOutput((_, chunk) => (output += Buffer.from(chunk).toString()));
  await session.write(Buffer.from("to and fro"));
  session.closeStdin();
  expect(await session.done).toEqual({ kind: "exited", code: 0 });
  expect(output).toBe("to and fro");
  await expect(run("p", ["ls"], { container: "x" })).rejects.toThrow("container x is not valid for pod p");
});

test("dial reaches a port of the pod", async () => {
  await startFunctions({ hi: () => createServer((_, response) => response.end("hi")) });
  makePod("p", { image: "hi", ports: [{ containerPort: 8080 }] });
  await isReady("p");
  const socket = await kubelet.dial(ref("p"), 8080);
  socket.write("GET / HTTP/1.0\r\n\r\n");
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  expect(text).toContain("hi");
});

test("logs: follow to the end, tail, limit, timestamps, and what cannot be read", async () => {
  await startProcesses();
  makePod("p", nodeScript("let n = 0; const t = setInterval(() => { console.log('line ' + ++n); if (n === 5) clearInterval(t) }, 5)"), {
    restartPolicy: "Never",
  });
  await until(() => mainStatus("p")?.state?.running);
  expect(await logOf("p", { follow: true })).toBe("line 1\nline 2\nline 3\nline 4\nline 5\n");
  expect(await logOf("p", { tailLines: 2 })).toBe("line 4\nline 5\n");
  expect(await logOf("p", { tailLines: 0 })).toBe("");
  expect(await logOf("p", { limitBytes: 9 })).toBe("line 1\nli");
  expect(await logOf("p", { tailLines: 1, timestamps: true })).toMatch(/^\d{4}-.*Z line 5\n$/);
  expect(await logOf("p", { sinceTime: "2100-01-01T00:00:00Z" })).toBe("");
  await expect(logOf("p", { previous: true })).rejects.toThrow('previous terminated container "main" in pod "p" not found');
  await expect(logOf("p", { container: "x" })).rejects.toThrow("container x is not valid for pod p");
});

test("init containers run in order, and a failed one ends a pod that never restarts", async () => {
  await startProcesses();
  const init = (name: string, code: number): Container => ({ name, image: "node", command: ["sh", "-c", `exit ${code}`] });
  makePod("good", nodeScript(stay), { initContainers: [init("i1", 0), init("i2", 0)] });
  makePod("bad", nodeScript(stay), { initContainers: [init("i1", 4)], restartPolicy: "Never" });
  await isReady("good");
  expect(getPod("good")?.status?.initContainerStatuses?.map(({ state }) => state?.terminated?.exitCode)).toEqual([0, 0]);
  await until(() => getPod("bad")?.status?.phase === "Failed");
  expect(conditionOf("bad", "Initialized")).toBe("False");
});

test("a new run of the node starts its pods anew, counts on, and kills what was left", async () => {
  await startProcesses();
  makePod("p", { command: ["sh", "-c", "setsid sh -c 'echo $$$$; exec sleep 1000' & exec sleep 1000"] });
  const left = await until(
    async () => mainStatus("p")?.state?.running !== undefined && Number(await logOf("p")) > 0 && Number(await logOf("p")),
  );
  const ip = getPod("p")?.status?.podIP;
  await kubelet.stop();
  expect(alive(left)).toBe(true);
  await startProcesses();
  await until(() => !alive(left));
  await until(() => mainStatus("p")?.restartCount === 1 && mainStatus("p")?.state?.running);
  expect(mainStatus("p")?.lastState?.terminated).toMatchObject({ exitCode: 255, reason: "Unknown" });
  expect(getPod("p")?.status?.podIP).toBe(ip);
  cluster.remove(pods, { namespace: "default", name: "p" });
  await isGone("p");
});

test("kill -9 of the program leaves no process", async () => {
  const runtime = new URL("./runtime/process/process-runtime.ts", import.meta.url).href;
  const script = `
    const { createProcessRuntime } = await import(${JSON.stringify(runtime)});
    const runtime = createProcessRuntime({ directory: ${JSON.stringify(directory)}, images: [], version: "0" });
    const pod = { namespace: "n", name: "p", uid: "u", ip: "127.0.0.1", ips: ["127.0.0.1"] };
    const container = { name: "c", image: "x" };
    const env = runtime.baseEnvironment(pod, container, { metadata: {} });
    const output = (_, chunk) => void process.stdout.write(chunk);
    await runtime.run({ pod, object: { metadata: {} }, container, instance: 0, command: ["sh", "-c", "echo $$; exec sleep 1000"], args: [], env, mounts: [], output });`;
  const program = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const pid = await new Promise<number>((resolve) => program.stdout.once("data", (chunk: Buffer) => resolve(Number(chunk.toString()))));
  expect(alive(pid)).toBe(true);
  program.kill("SIGKILL");
  await until(() => !alive(pid));
  await startFunctions({});
});

test("fields without effect are reported once", async () => {
  await startProcesses();
  makePod("p", { ...nodeScript(stay), resources: { limits: { cpu: "1" } } }, { hostNetwork: true });
  await isReady("p");
  const told = cluster.events.filter(({ reason }) => reason === "FieldsIgnored");
  expect(told).toHaveLength(1);
  expect(told[0]?.message).toContain("spec.hostNetwork (");
  expect(told[0]?.message).toContain("spec.containers[0].resources.limits (");
});

test("verdicts that others write over a living node's and its pods' are put right", async () => {
  await startFunctions({ hello: () => createServer() });
  makePod("web", { image: "hello", ports: [{ containerPort: 8080 }] });
  await isReady("web");
  const pod = getPod("web");
  const unready = (pod?.status?.conditions ?? []).map((one) => (one.type === "Ready" ? { ...one, status: "False" } : one));
  // The kubelet's own write has returned: what is older than that is only late.
  await new Promise((resolve) => setImmediate(resolve));
  cluster.update(pods, { ...(getPod("web") as Pod), status: { ...pod?.status, conditions: unready } });
  await until(() => Number(getPod("web")?.metadata.resourceVersion) === Number(pod?.metadata.resourceVersion) + 2);
  expect(conditionOf("web", "Ready")).toBe("True");
  const node = cluster.get(nodes, { name: "n1" }) as Node;
  const unknown = (node.status?.conditions ?? []).map((one) => (one.type === "Ready" ? { ...one, status: "Unknown" } : one));
  cluster.update(nodes, { ...node, status: { ...node.status, conditions: unknown } });
  await until(() => cluster.get(nodes, { name: "n1" })?.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True");
});
