/** exec, attach, cp, run -it and port-forward, by whichever protocol this kubectl prefers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { startKubectl } from "../support/kubectl.ts";
import type { Session } from "./session.ts";

const pod = (name: string, script: string, more: object = {}) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", image: "busybox", command: ["sh", "-c", script], ...more }],
    },
  });

const webServer = (text: string) =>
  `node -e "require('http').createServer((q,r)=>r.end(${JSON.stringify(text).replaceAll('"', "'")}+q.url)).listen(8080,process.env.POD_IP)"`;

/** What kubectl speaks by itself, and the other way where it can be told. */
export function transports(minor: number): readonly { readonly name: string; readonly env: Readonly<Record<string, string>> }[] {
  const set = (value: string) => ({ KUBECTL_REMOTE_COMMAND_WEBSOCKETS: value, KUBECTL_PORT_FORWARD_WEBSOCKETS: value });
  if (minor < 29) return [{ name: "SPDY", env: {} }];
  return [
    { name: "WebSocket", env: set("true") },
    { name: "SPDY", env: set("false") },
  ];
}

export async function execAndCopy(k: Session, env: Readonly<Record<string, string>>): Promise<void> {
  await k.ok("apply -f -", { input: pod("box", "echo started; sleep 1000") });
  await k.ok("wait --for=condition=Ready pod/box --timeout=60s");
  expect(await k.ok(["exec", "box", "--", "sh", "-c", "echo out; echo err >&2"], { env })).toBe("out\n");
  expect((await k.run(["exec", "box", "--", "sh", "-c", "echo err >&2"], { env })).stderr).toBe("err\n");
  const failed = await k.run(["exec", "box", "--", "sh", "-c", "exit 7"], { env });
  expect([failed.code, failed.stderr]).toEqual([7, "command terminated with exit code 7\n"]);
  expect(await k.ok("exec -i box -- cat", { env, input: "through the pipe\n" })).toBe("through the pipe\n");
  const much = randomBytes(700_000).toString("hex");
  expect((await k.ok("exec -i box -- cat", { env, input: much })).length).toBe(much.length);
  expect(await k.fails("exec box -- no-such-command", { env })).toContain("no-such-command");
  expect(await k.fails("exec nobody -- true", { env })).toContain('pods "nobody" not found');
  expect(await k.fails("exec box -c other -- true", { env })).toContain("container other is not valid for pod box");
  await copies(k, env);
  await k.ok("delete pod box --now");
}

async function copies(k: Session, env: Readonly<Record<string, string>>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-cp-"));
  try {
    const content = randomBytes(300_000);
    writeFileSync(join(directory, "up"), content);
    // A relative path is in the container's working directory, which is the pod's own in every mode.
    await k.ok(["cp", join(directory, "up"), "box:copied"], { env });
    expect(await k.ok(["exec", "box", "--", "sh", "-c", "wc -c < copied"], { env })).toMatch(/^\s*300000\s*$/);
    await k.ok(["cp", "box:copied", join(directory, "down")], { env });
    expect(readFileSync(join(directory, "down")).equals(content)).toBe(true);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function attachAndRun(k: Session, env: Readonly<Record<string, string>>): Promise<void> {
  const echo = "while read line; do echo got $line; [ $line = end ] && exit 4; done";
  await k.ok("apply -f -", { input: pod("listener", echo, { stdin: true, stdinOnce: true }) });
  await k.ok("wait --for=condition=Ready pod/listener --timeout=60s");
  const attached = await k.run("attach -i listener", { env, input: "one\nend\n" });
  expect(attached.stdout).toContain("got one\ngot end\n");
  await k.ok("wait --for=jsonpath={.status.phase}=Failed pod/listener --timeout=60s");
  expect((await k.json("get pod listener")).status.containerStatuses[0].state.terminated.exitCode).toBe(4);
  await k.ok("delete pod listener --now");
  const ran = await k.run(["run", "once", "--image=busybox", "--restart=Never", "--rm", "-i", "--", "cat"], { env, input: "hello\n" });
  expect(ran.stdout).toContain("hello\n");
  expect(ran.stdout).toContain('pod "once" deleted');
  expect(await k.fails("get pod once")).toContain("not found");
}

export async function portForward(k: Session, env: Readonly<Record<string, string>>): Promise<void> {
  const field = { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } };
  const input = pod("web", webServer("hello from "), {
    image: "node",
    env: [field],
    readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
  });
  await k.ok("apply -f -", { input });
  await k.ok("wait --for=condition=Ready pod/web --timeout=60s");
  k.count++;
  const forwarding = startKubectl(k.kubectl, ["port-forward", "pod/web", ":8080", ":1"], k.kubeconfig, env);
  try {
    let said = "";
    forwarding.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(/127\.0\.0\.1:\d+ -> 8080/);
    const port = /127\.0\.0\.1:(\d+) -> 8080/.exec(said)?.[1];
    for (const path of ["/a", "/b", "/c"]) expect(await (await fetch(`http://127.0.0.1:${port}${path}`)).text()).toBe(`hello from ${path}`);
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => fetch(`http://127.0.0.1:${port}/${i}`).then((one) => one.text())));
    expect(all).toEqual(Array.from({ length: 20 }, (_, i) => `hello from /${i}`));
  } finally {
    forwarding.kill();
  }
  await k.ok("delete pod web --now");
}
