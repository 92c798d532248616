/**
 * What every runtime of processes must do, as cases that need no test runner: so that they also run inside namespaces, as
 * another user, in a program of their own (`test/root/kubelet.test.ts`).
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecOptions, ExecSession } from "../../api/node-agent.ts";
import type { Container, Pod, PodSpec } from "../../api/types.ts";
import { errnoCode } from "../../lib/errors.ts";
import { connectFromHost } from "./connect.ts";
import type { ContainerMount, PodIdentity, RunningContainer, Runtime } from "./runtime.ts";

export interface RuntimeRig {
  readonly runtime: Runtime;
  /** Of the runtime: where pods have their directories. */
  readonly directory: string;
  /** For what the cases write. */
  readonly scratch: string;
  /** Addresses of the n-th pod. */
  readonly addresses: (n: number) => readonly string[];
  readonly traits: {
    /** Each container has files of its own, each pod a network of its own. */
    readonly isolated: boolean;
    /** The program is the machine's root. */
    readonly root: boolean;
  };
}

export interface RuntimeCase {
  readonly name: string;
  readonly needs?: "isolated";
  readonly run: (rig: RuntimeRig) => Promise<void>;
}

let pods = 1;

interface Started {
  readonly pod: PodIdentity;
  readonly object: Pod;
  readonly running: RunningContainer;
  output(): string;
  remove(): Promise<void>;
}

interface StartOptions {
  readonly spec?: Partial<PodSpec>;
  readonly mounts?: readonly ContainerMount[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function start(rig: RuntimeRig, given: Partial<Container>, options: StartOptions = {}): Promise<Started> {
  const { runtime } = rig;
  const n = ++pods;
  const ips = rig.addresses(n);
  const pod: PodIdentity = { namespace: "default", name: `pod-${n}`, uid: `uid-${process.pid}-${n}`, ip: ips[0] ?? "", ips };
  const container: Container = { name: "main", image: "busybox", ...given };
  const object: Pod = {
    metadata: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
    spec: { ...options.spec, containers: [container] },
  };
  await runtime.setUpPod(pod, object);
  const chunks: Buffer[] = [];
  const running = await runtime.run({
    pod,
    object,
    container,
    instance: 0,
    command: container.command ?? [],
    args: container.args ?? [],
    env: { ...runtime.baseEnvironment(pod, container, object), HOSTNAME: pod.name, ...options.env },
    mounts: options.mounts ?? [],
    output: (_, chunk) => void chunks.push(Buffer.from(chunk)),
  });
  return {
    pod,
    object,
    running,
    output: () => Buffer.concat(chunks).toString(),
    async remove() {
      running.signal("SIGKILL");
      await running.exited;
      await running.drained;
      await runtime.tearDownPod(pod);
      await runtime.removePod(pod);
    },
  };
}

/** Runs a container to its end. */
async function finish(rig: RuntimeRig, container: Partial<Container>, options?: StartOptions) {
  const started = await start(rig, container, options);
  const exit = await started.running.exited;
  await started.running.drained;
  await started.remove();
  return { ...exit, output: started.output(), pod: started.pod };
}

const shell = (script: string): Partial<Container> => ({ command: ["sh", "-c", script] });
const waits = shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done");

async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const execOptions = (command: readonly string[], more: Partial<ExecOptions> = {}): ExecOptions => ({
  container: "main",
  command,
  stdin: false,
  stdout: true,
  stderr: true,
  tty: false,
  ...more,
});

function listen(session: ExecSession): () => string {
  const chunks: Buffer[] = [];
  session.onOutput((_, chunk) => chunks.push(Buffer.from(chunk)));
  return () => Buffer.concat(chunks).toString();
}

async function exec(started: Started, command: readonly string[], more: Partial<ExecOptions> = {}, input?: string) {
  const session = await started.running.exec(execOptions(command, more));
  const output = listen(session);
  if (input !== undefined) {
    await session.write(Buffer.from(input));
    session.closeStdin();
  }
  return { status: await session.done, output: output() };
}

const everyRuntime: readonly RuntimeCase[] = [
  {
    name: "output of both streams and the exit code",
    async run(rig) {
      const { exitCode, output } = await finish(rig, shell("echo out; echo err >&2; exit 7"));
      assert.equal(exitCode, 7);
      assert.deepEqual(output.trim().split("\n").sort(), ["err", "out"]);
    },
  },
  {
    name: "much output arrives whole",
    async run(rig) {
      const { output } = await finish(
        rig,
        shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done"),
      );
      assert.equal(output.length, 20_000 * 41);
    },
  },
  {
    name: "a termination message",
    async run(rig) {
      const path = rig.traits.isolated ? "/dev/termination-log" : "$POD_ROOT/dev/termination-log";
      const script = rig.traits.isolated ? "" : 'mkdir -p "$POD_ROOT/dev"; ';
      const { message } = await finish(rig, shell(`${script}echo why > ${path}; exit 1`));
      assert.equal(message, "why\n");
    },
  },
  {
    name: "the environment is the container's, without ours",
    async run(rig) {
      process.env["FAIRLEAD_CASE_SECRET"] = "ours";
      const { output } = await finish(rig, { command: ["env"] }, { env: { A: "b c" } });
      delete process.env["FAIRLEAD_CASE_SECRET"];
      assert.match(output, /^A=b c$/m);
      assert.match(output, /^HOME=/m);
      assert.doesNotMatch(output, /FAIRLEAD_CASE_SECRET/);
    },
  },
  {
    name: "a program that is not there, and one that may not run",
    async run(rig) {
      await assert.rejects(finish(rig, { command: ["no-such-program"] }), /exec: "no-such-program": executable file not found in \$PATH/);
      await assert.rejects(finish(rig, { command: ["/etc/passwd"] }), /permission denied/);
    },
  },
  {
    name: "signals: what handles one, what does not, and its children",
    async run(rig) {
      const handles = await start(rig, shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"));
      await until(() => handles.output().includes("up"));
      handles.running.signal("SIGTERM");
      assert.equal((await handles.running.exited).exitCode, 3);
      await handles.running.drained;
      assert.match(handles.output(), /bye/);
      await handles.remove();
      const plain = await start(rig, shell("sleep 1000 & echo up; wait"));
      await until(() => plain.output().includes("up"));
      plain.running.signal("SIGTERM");
      assert.equal((await plain.running.exited).exitCode, 143);
      await plain.remove();
    },
  },
  {
    name: "SIGKILL ends what ignores SIGTERM",
    async run(rig) {
      const deaf = await start(rig, shell("trap '' TERM; echo up; while :; do sleep 0.05; done"));
      await until(() => deaf.output().includes("up"));
      deaf.running.signal("SIGTERM");
      assert.equal((await exec(deaf, ["true"])).status.kind, "exited");
      deaf.running.signal("SIGKILL");
      assert.equal((await deaf.running.exited).exitCode, 137);
      await deaf.remove();
    },
  },
  {
    name: "exec: output, code, input, a command that is not there, and none after the end",
    async run(rig) {
      const started = await start(rig, waits);
      assert.deepEqual(await exec(started, ["sh", "-c", "echo hi; exit 5"]), { status: { kind: "exited", code: 5 }, output: "hi\n" });
      assert.equal((await exec(started, ["cat"], { stdin: true }, "a\nb\n")).output, "a\nb\n");
      const absent = await exec(started, ["no-such-program"]);
      assert.match(absent.status.kind === "failed" ? absent.status.message : "", /executable file not found/);
      await started.remove();
      assert.equal((await exec(started, ["true"])).status.kind, "failed");
    },
  },
  {
    name: "exec in a terminal, with its size",
    async run(rig) {
      const started = await start(rig, waits);
      const session = await started.running.exec(
        execOptions(["sh", "-c", "read a; stty size; test -t 1 && echo terminal $a"], { tty: true, stdin: true }),
      );
      const output = listen(session);
      session.resize(101, 41);
      await session.write(Buffer.from("yes\n"));
      assert.deepEqual(await session.done, { kind: "exited", code: 0 });
      assert.match(output(), /41 101\r\nterminal yes\r\n/);
      await started.remove();
    },
  },
  {
    name: "attach: output and input of the main process; without stdin it is refused",
    async run(rig) {
      const echo = await start(rig, { ...shell("while read line; do echo got $line; done; exit 4"), stdin: true, stdinOnce: true });
      const session = await echo.running.attach(execOptions([], { stdin: true }));
      const output = listen(session);
      await session.write(Buffer.from("one\ntwo\n"));
      session.closeStdin();
      assert.deepEqual(await session.done, { kind: "exited", code: 4 });
      assert.equal(output(), "got one\ngot two\n");
      assert.equal(echo.output(), output());
      await echo.remove();
      const plain = await start(rig, waits);
      const refused = await (await plain.running.attach(execOptions([], { stdin: true }))).done;
      assert.match(refused.kind === "failed" ? refused.message : "", /has no standard input/);
      await plain.remove();
    },
  },
  {
    name: "a main process in a terminal",
    async run(rig) {
      const started = await start(rig, { ...shell("read x; test -t 0 && echo terminal $x"), stdin: true, tty: true });
      const session = await started.running.attach(execOptions([], { stdin: true, tty: true }));
      const output = listen(session);
      await session.write(Buffer.from("yes\n"));
      assert.deepEqual(await session.done, { kind: "exited", code: 0 });
      assert.match(output(), /terminal yes/);
      await started.remove();
    },
  },
  {
    name: "a volume is found at its path",
    async run(rig) {
      const source = join(rig.scratch, `volume-${++pods}`);
      mkdirSync(source, { recursive: true });
      writeFileSync(join(source, "app.conf"), "answer=42\n");
      const mounts = [{ mountPath: "/etc/fairlead-case", source, readOnly: true }];
      const { output } = await finish(rig, { command: ["cat", "/etc/fairlead-case/app.conf"] }, { mounts });
      assert.equal(output, "answer=42\n");
    },
  },
  {
    name: "a server of a pod is reached at its address and through its localhost; a closed port refuses",
    async run(rig) {
      const { runtime } = rig;
      const script = "require('http').createServer((q, r) => r.end('hi')).listen(8080, process.env.HOST, () => console.log('up'))";
      const started = await start(rig, { image: "node", command: ["node", "-e", script] });
      await until(() => started.output().includes("up"));
      const connect = runtime.connect ?? connectFromHost;
      for (const host of rig.traits.isolated ? started.pod.ips : [started.pod.ip]) {
        assert.match(await request(await connect({ host, port: 8080 })), /hi$/);
        await assert.rejects(connect({ host, port: 8081 }), (error) => errnoCode(error) === "ECONNREFUSED");
      }
      if (runtime.dial !== undefined) {
        assert.match(await request(await runtime.dial(started.pod, 8080)), /hi$/);
        await assert.rejects(runtime.dial(started.pod, 8081), /failed to connect to localhost:8081 inside pod default\/pod-\d+/);
      }
      await started.remove();
    },
  },
  {
    name: "an image with files of its own: agnhost, by its entrypoint and by exec",
    async run(rig) {
      const started = await start(rig, {
        image: "registry.k8s.io/e2e-test-images/agnhost:2.53",
        args: ["netexec", "--http-port=8090", "--udp-port=8091"],
      });
      await until(() => started.output().includes("Started HTTP server on port 8090"));
      const connect = rig.runtime.connect ?? connectFromHost;
      const host = started.pod.ip;
      assert.match(await request(await connect({ host, port: 8090 }), "/echo?msg=hello&code=201"), /^HTTP\/1\.1 201 [^]*hello$/);
      const dialled = await request(
        await connect({ host, port: 8090 }),
        `/dial?host=${host}&port=8091&protocol=udp&request=echo%20x&tries=2`,
      );
      assert.match(dialled, /\{"responses":\["x","x"\]\}$/);
      assert.deepEqual((await exec(started, ["/agnhost", "connect", "--timeout=5s", `${host}:8090`])).status, { kind: "exited", code: 0 });
      assert.deepEqual(await exec(started, ["/agnhost", "connect", "--timeout=5s", `${host}:8099`]), {
        status: { kind: "exited", code: 1 },
        output: "REFUSED\n",
      });
      assert.match((await exec(started, ["/agnhost", "no-such"])).output, /has no such subcommand; there are: connect/);
      started.running.signal("SIGTERM");
      assert.equal((await started.running.exited).exitCode, 0);
      await started.remove();
    },
  },
  {
    name: "many at once, and nothing is left of them",
    async run(rig) {
      const all = await Promise.all(Array.from({ length: 12 }, (_, i) => start(rig, shell(`echo ${i}; sleep 1000 & wait`))));
      for (const [i, one] of all.entries()) await until(() => one.output() === `${i}\n`);
      await Promise.all(all.map((one) => one.remove()));
      for (const { pod } of all) assert.equal(existsSync(join(rig.directory, pod.uid)), false);
    },
  },
];

async function request(socket: import("node:stream").Duplex, path = "/"): Promise<string> {
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const isolatedRuntime: readonly RuntimeCase[] = [
  {
    name: "its own names: hostname, /etc/hosts, /etc/resolv.conf, aliases",
    async run(rig) {
      const spec = { hostAliases: [{ ip: "1.2.3.4", hostnames: ["alias.example"] }], subdomain: "web", hostname: "web-0" };
      const { output, pod } = await finish(rig, shell("hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf"), { spec });
      assert.match(output, /^web-0\nweb-0\n/);
      assert.ok(output.includes(`${pod.ip}\tweb-0.web.default.svc.cluster.local\tweb-0\n`));
      assert.match(output, /^1\.2\.3\.4\talias\.example$/m);
      assert.match(output, /^nameserver 10\.96\.0\.10$/m);
      assert.match(output, /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/m);
    },
  },
  {
    name: "its own addresses and ports: two pods on one port, low ones too, without root",
    async run(rig) {
      const script = "require('net').createServer((s) => s.end('hi')).listen(80, () => console.log('up'))";
      const server = { image: "node", command: ["node", "-e", script] };
      const both = [await start(rig, server), await start(rig, server)];
      for (const one of both) await until(() => one.output().includes("up"));
      const [a, b] = both as [Started, Started];
      const client = `const s = require('net').connect(80, '${b.pod.ip}'); s.on('data', (d) => console.log(String(d), s.localAddress)); s.on('error', (e) => { console.log(e.code) })`;
      assert.equal((await exec(a, ["node", "-e", client])).output, `hi ${a.pod.ip}\n`);
      for (const one of both) await one.remove();
    },
  },
  {
    name: "hostPort: TCP and UDP of the node lead to the pod, a taken one is refused, and it is free again afterwards",
    async run(rig) {
      const script =
        "require('net').createServer((s) => s.end('tcp')).listen(81); const u = require('dgram').createSocket('udp4'); u.on('message', (m, r) => u.send('udp ' + m, r.port, r.address)); u.bind(82, () => console.log('up'))";
      const ports = [
        { containerPort: 81, hostPort: 8181, hostIP: "127.0.0.1" },
        { containerPort: 82, hostPort: 8182, protocol: "UDP" },
      ];
      const server = { image: "node", command: ["node", "-e", script], ports };
      const started = await start(rig, server);
      await until(() => started.output().includes("up"));
      const onNode = await start(rig, { ...waits, image: "node" }, { spec: { hostNetwork: true } });
      const ask = `require('net').connect(8181, '127.0.0.1').on('data', (d) => console.log(String(d)));
        const u = require('dgram').createSocket('udp4'); u.on('message', (m, r) => { console.log(String(m), r.address, r.port); u.close(); }); u.send('x', 8182, '10.250.0.1')`;
      const { output } = await exec(onNode, ["node", "-e", ask]);
      assert.deepEqual(output.trim().split("\n").sort(), ["tcp", "udp x 10.250.0.1 8182"]);
      await assert.rejects(start(rig, server), /hostPort 127\.0\.0\.1:8181\/TCP is in use/);
      await started.remove();
      await onNode.remove();
      await (await start(rig, server)).remove();
    },
  },
  {
    name: "nothing of the user's or the cluster's is seen",
    async run(rig) {
      const { output } = await finish(
        rig,
        shell(
          `ls -a /root /home; ls ${rig.directory}; ls ${rig.scratch}; cat /proc/1/cmdline | tr '\\0' ' '; echo processes $(ls -d /proc/[0-9]* | wc -l)`,
        ),
      );
      assert.match(output, /^\/home:\n\.\n\.\.\n/m);
      assert.match(output, new RegExp(`cannot access '${rig.directory}'`));
      assert.match(output, new RegExp(`cannot access '${rig.scratch}'`));
      assert.match(output, /\/sh -c ls -a/);
      const processes = Number(/processes (\d+)/.exec(output)?.[1]);
      assert.ok(processes < 6, `${processes} processes are seen`);
    },
  },
  {
    name: "the machine's files cannot be written; /tmp, the home and / can, and are gone afterwards",
    async run(rig) {
      const script =
        "touch /usr/fairlead-case /etc/fairlead-case 2>&1; for d in /tmp $HOME / /run /var/lib /var/log; do echo x > $d/fairlead-case && echo wrote $d; done";
      const { output } = await finish(rig, shell(script));
      assert.match(output, /'\/usr\/fairlead-case': Read-only file system/);
      assert.match(output, /'\/etc\/fairlead-case': Read-only file system/);
      assert.deepEqual(output.match(/wrote .*/g), [
        "wrote /tmp",
        "wrote /home",
        "wrote /",
        "wrote /run",
        "wrote /var/lib",
        "wrote /var/log",
      ]);
      assert.equal(existsSync("/tmp/fairlead-case") || existsSync("/fairlead-case"), false);
    },
  },
  {
    name: "users: nobody's rights by default, the number asked for, root that is none outside",
    async run(rig) {
      const ids = async (securityContext: Container["securityContext"]) =>
        (await finish(rig, { ...shell("id -u; id -g; cat /etc/shadow 2>/dev/null | wc -l"), securityContext })).output.trim().split("\n");
      const [uid] = await ids({});
      assert.equal(uid, rig.traits.root ? "65534" : outsideUser());
      assert.deepEqual(await ids({ runAsUser: 1234, runAsGroup: 77 }), ["1234", "77", "0"]);
      assert.deepEqual(await ids({ runAsUser: 0 }), ["0", "0", "0"]);
    },
  },
  {
    name: "volumes: read-only, in a directory that the machine lacks, over one file, one in another",
    async run(rig) {
      const source = join(rig.scratch, `volume-${++pods}`);
      mkdirSync(source, { recursive: true, mode: 0o777 });
      writeFileSync(join(source, "f"), "content\n");
      const mounts = [
        { mountPath: "/usr/share/fairlead-case/html", source, readOnly: true },
        { mountPath: "/opt/one.txt", source: join(source, "f"), readOnly: false },
        { mountPath: "/data", source, readOnly: false },
        { mountPath: "/data/inner", source, readOnly: true },
      ];
      const script =
        "cat /usr/share/fairlead-case/html/f /opt/one.txt /data/f /data/inner/f; ls /usr/share | wc -l; touch /data/inner/x 2>&1";
      const { output } = await finish(rig, shell(script), { mounts });
      assert.equal(output.match(/content/g)?.length, 4);
      assert.match(output, /'\/data\/inner\/x': Read-only file system/);
      assert.equal(existsSync("/usr/share/fairlead-case"), false);
    },
  },
  {
    name: "process 1: kill 1 from inside, and SIGTERM to what does not handle it",
    async run(rig) {
      const trapped = await start(rig, shell("trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done"));
      await until(() => trapped.output().includes("up"));
      await exec(trapped, ["kill", "1"]);
      assert.equal((await trapped.running.exited).exitCode, 9);
      await trapped.remove();
      const node = await start(rig, { image: "node", command: ["node", "-e", "console.log('up'); setInterval(() => {}, 1e6)"] });
      await until(() => node.output().includes("up"));
      node.running.signal("SIGTERM");
      assert.equal((await node.running.exited).exitCode, 143);
      await node.remove();
    },
  },
  {
    name: "what a container leaves running ends with it",
    async run(rig) {
      const file = join(rig.scratch, `alive-${++pods}`);
      mkdirSync(file, { recursive: true, mode: 0o777 });
      const mounts = [{ mountPath: "/alive", source: file, readOnly: false }];
      await finish(rig, shell("setsid sh -c 'while :; do touch /alive/tick; sleep 0.02; done' & sleep 0.2"), { mounts });
      const { rmSync } = await import("node:fs");
      rmSync(join(file, "tick"), { force: true });
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(existsSync(join(file, "tick")), false);
    },
  },
  {
    name: "a pod of image fairlead.dev/run says how to join it",
    async run(rig) {
      const started = await start(rig, { image: "fairlead.dev/run" }, { env: { WEB_SERVICE_HOST: "10.96.0.7" } });
      const { readFileSync, statSync } = await import("node:fs");
      const file = join(rig.directory, started.pod.uid, "run.json");
      const content = JSON.parse(readFileSync(file, "utf8")) as {
        pid: number;
        namespaces: Record<string, string>;
        env: Record<string, string>;
      };
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.equal(content.env["WEB_SERVICE_HOST"], "10.96.0.7");
      assert.equal(content.env["HOME"], undefined);
      for (const kind of ["net", "mnt", "uts", "pid"]) assert.match(content.namespaces[kind] ?? "", new RegExp(`^${kind}:\\[\\d+\\]$`));
      assert.equal((await exec(started, ["cat", "/etc/resolv.conf"])).output.includes("nameserver 10.96.0.10"), true);
      assert.match((await exec(started, ["ls", rig.scratch])).output, /volume-/);
      await started.remove();
      assert.equal(existsSync(file), false);
    },
  },
];

/** The user's own number, as the user namespace around us was given it. */
function outsideUser(): string {
  return process.env["FAIRLEAD_CASE_UID"] ?? "";
}

export const runtimeCases: readonly RuntimeCase[] = [
  ...everyRuntime,
  ...isolatedRuntime.map((one) => ({ ...one, needs: "isolated" as const })),
];
