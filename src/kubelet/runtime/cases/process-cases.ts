/** Processes: how they start, end, speak and are spoken to. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Container } from "../../../api/types.ts";
import { exec, finish, scratchDirectory, shell, start, until, waits, type RuntimeCase } from "./rig.ts";

export const processCases: readonly RuntimeCase[] = [
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
      const handles = await start(rig, shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05 & wait; done"));
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
      const deaf = await start(rig, shell("trap '' TERM; echo up; while :; do sleep 0.05 & wait; done"));
      await until(() => deaf.output().includes("up"));
      deaf.running.signal("SIGTERM");
      assert.equal((await exec(deaf, ["true"])).status.kind, "exited");
      deaf.running.signal("SIGKILL");
      assert.equal((await deaf.running.exited).exitCode, 137);
      await deaf.remove();
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

/** Where each container has files of its own, each pod a network of its own. */
export const isolatedProcessCases: readonly RuntimeCase[] = [
  {
    name: "capabilities that are dropped are gone, also for exec; no new privileges where the pod says so",
    async run(rig) {
      const securityContext = { runAsUser: 0, allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"], add: ["KILL"] } };
      const started = await start(rig, { ...waits, securityContext });
      await until(() => started.output().includes("up"));
      const { output } = await exec(started, [
        "sh",
        "-c",
        "cat /proc/1/status /proc/self/status | grep -E '^(CapEff|CapBnd|NoNewPrivs)' | cut -f2",
      ]);
      const kill = (1n << 5n).toString(16).padStart(16, "0");
      assert.deepEqual(output.trim().split("\n"), [kill, kill, "1", kill, kill, "1"]);
      await started.remove();
    },
  },
  {
    name: "a limit of memory ends who wants more, and says so; where none can be kept that is told",
    async run(rig) {
      const limited = { ...shell("x=abcdefgh; while :; do x=$x$x; done"), resources: { limits: { memory: "48Mi", cpu: "2" } } };
      const pod = { metadata: {}, spec: { containers: [{ name: "main", image: "busybox", ...limited }] } };
      const ignored = rig.runtime.ignoredFields(pod).find(({ field }) => field === "spec.containers[0].resources.limits");
      if (ignored !== undefined) return assert.match(ignored.why, /^(?:without root|this machine|the machine|the program)/);
      const { exitCode, outOfMemory } = await finish(rig, limited);
      assert.deepEqual({ exitCode, outOfMemory }, { exitCode: 137, outOfMemory: true });
      const killed = await start(rig, { ...waits, resources: { limits: { memory: "48Mi" } } });
      killed.running.signal("SIGKILL");
      assert.deepEqual(await killed.running.exited, { exitCode: 137 });
      await killed.remove();
    },
  },
  {
    name: "an ephemeral container sees the processes of its target, and its end does not end them",
    async run(rig) {
      const main = await start(rig, shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.05 & wait; done; : marked"));
      await until(() => main.output().includes("up"));
      const debug = { name: "debug", ...shell("tr '\\0' ' ' < /proc/1/cmdline; echo; echo I am $$") };
      const withTarget = (targetContainerName: string): Partial<Container> => ({ ...debug, ...{ targetContainerName } });
      const beside = await start(rig, withTarget("main"), { beside: main });
      assert.equal((await beside.running.exited).exitCode, 0);
      await beside.running.drained;
      assert.match(beside.output(), /: marked \nI am (?!1\n)\d+\n$/);
      assert.equal((await exec(main, ["true"])).status.kind, "exited");
      await assert.rejects(start(rig, withTarget("other"), { beside: main }), /unable to find target container "other"/);
      await main.remove();
    },
  },
  {
    name: "process 1: kill 1 from inside, and SIGTERM to what does not handle it",
    async run(rig) {
      const trapped = await start(rig, shell("trap 'exit 9' TERM; echo up; while :; do sleep 0.05 & wait; done"));
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
      const file = scratchDirectory(rig, "alive");
      const mounts = [{ mountPath: "/alive", source: file, readOnly: false }];
      await finish(rig, shell("setsid sh -c 'while :; do touch /alive/tick; sleep 0.02; done' & sleep 0.2"), { mounts });
      const { rmSync } = await import("node:fs");
      rmSync(join(file, "tick"), { force: true });
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(existsSync(join(file, "tick")), false);
    },
  },
];
