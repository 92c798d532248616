/** `fairlead run` in every way that a machine may run a cluster: what goes in and out, and that command and pod end together. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterAll, afterEach, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { readClusterFile, registryPath } from "../../src/cli/cluster-file.ts";
import { ways } from "../support/modes.ts";
import { runProgram, type Output, type Program } from "../support/program.ts";

const cluster = "running";

for (const way of ways) {
  describe(way.name, { timeout: 180_000 }, () => {
    let opened: Program | undefined;
    const started: ChildProcess[] = [];

    beforeAll(async () => {
      if (way.missing !== undefined) return;
      opened = way.open();
      const up = await opened.run("up", "--detach", "--ephemeral", "--name", cluster, "--mode", way.mode, "--api-port", "0", "--no-check");
      if (up.code !== 0) throw new Error(`up ended with ${up.code}\n${up.stderr}`);
    }, 180_000);

    afterEach(() => {
      for (const child of started.splice(0)) child.kill("SIGKILL");
    });

    afterAll(async () => {
      if (opened === undefined) return;
      await opened.run("down", "--name", cluster);
      way.discard(opened);
    }, 180_000);

    const program = (ctx: TestContext): Program => opened ?? ctx.skip(way.missing ?? "did not start");

    /** Runs a shell script in the cluster, with `input` on its standard input. */
    function run(ctx: TestContext, script: string, input = ""): Promise<Output> {
      const { command, env, home } = program(ctx);
      const [file, ...args] = command("run", "--name", cluster, "--", "sh", "-c", script);
      return runProgram(file, args, { env, cwd: home, input, timeout: 120_000 });
    }

    /** Starts one and gives it with the first line that it prints. */
    async function begin(
      ctx: TestContext,
      script: string,
    ): Promise<{ readonly child: ChildProcess; readonly line: string; readonly ended: Promise<unknown> }> {
      const { command, env, home } = program(ctx);
      const [file, ...args] = command("run", "--name", cluster, "--", "sh", "-c", script);
      const child = spawn(file, args, { env, cwd: home, stdio: ["ignore", "pipe", "pipe"] });
      started.push(child);
      const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
      child.stderr.resume();
      for await (const line of createInterface({ input: child.stdout })) return { child, line, ended };
      throw new Error("it printed nothing");
    }

    /** Marked by a number that nobody else sleeps. */
    let nextMark = 5_000_000 + (process.pid % 1000) * 1000;
    const mark = () => String(nextMark++);
    const sleeps = (marked: string) => execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }).includes(`sleep ${marked}`);
    async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
      while (!(await holds())) await new Promise((again) => setTimeout(again, 50));
    }
    const podsAre = async (ctx: TestContext, count: number) => (await pods(ctx)).length === count;
    async function pods(ctx: TestContext): Promise<readonly string[]> {
      const { stdout } = await program(ctx).run("status", "--name", cluster, "-o", "json");
      const { pods: rows } = JSON.parse(stdout) as { readonly pods: readonly { readonly name: string }[] };
      return rows.map(({ name }) => name).filter((name) => name.startsWith("run-"));
    }

    test("input, output, directory and exit code are the command's own", async (ctx) => {
      const { code, stdout } = await run(ctx, "cat; pwd; echo $KUBERNETES_SERVICE_PORT; exit 7", "from here\n");
      expect([code, stdout]).toEqual([7, `from here\n${program(ctx).home}\n443\n`]);
      expect((await run(ctx, "kill -9 $$")).code).toBe(137);
      await until(() => podsAre(ctx, 0));
    });

    test("a command that is not there costs no pod", async (ctx) => {
      const { code, stderr } = await program(ctx).run("run", "--name", cluster, "--", "no-such-command");
      expect([code, stderr]).toEqual([127, expect.stringContaining("not found")]);
    });

    test("its pod is there while it runs, and deleting the pod ends it", async (ctx) => {
      const marked = mark();
      const { ended } = await begin(ctx, `echo up; exec sleep ${marked}`);
      const [name = ""] = await pods(ctx);
      const { stdout } = await program(ctx).run("kubeconfig", "--name", cluster, "--path");
      await deletePod(stdout.trim(), name);
      expect(await ended).not.toBe(0);
      await until(() => !sleeps(marked));
    });

    test("kill -9 of the command line ends command and pod", async (ctx) => {
      const marked = mark();
      // Every step of the way to it becomes the next: the child is the command line itself.
      const { child } = await begin(ctx, `echo up; exec sleep ${marked}`);
      expect(sleeps(marked)).toBe(true);
      child.kill("SIGKILL");
      await until(() => podsAre(ctx, 0));
      await until(() => !sleeps(marked));
    });

    test("kill -9 of the cluster ends the command", async (ctx) => {
      const { ended } = await begin(ctx, "echo up; exec sleep 1000000");
      const file = readClusterFile(registryPath(cluster, program(ctx).env));
      process.kill(file?.pid as number, "SIGKILL");
      expect(await ended).not.toBe(0);
    });
  });
}

/** By the API, so that no kubectl is needed. */
async function deletePod(kubeconfig: string, name: string): Promise<void> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  await config.makeApiClient(CoreV1Api).deleteNamespacedPod({ namespace: "default", name, gracePeriodSeconds: 0 });
}
