/** Containers of real images, which an OCI runtime runs. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Container } from "../../../api/types.ts";
import { exec, finish, scratchDirectory, shell, start, until, waits, type RuntimeCase } from "./rig.ts";

/** What the rig's image `busybox` says of itself: `test/support/case-images.ts`. */
const image = { user: "app", uid: "1234", gid: "77", words: "entrypoint default", stopSignal: "SIGUSR1" };

const cases: readonly Omit<RuntimeCase, "needs">[] = [
  {
    name: "words: the image's own, with args, with a command",
    async run(rig) {
      assert.equal((await finish(rig, {})).output, `${image.words}\n`);
      assert.equal((await finish(rig, { args: ["given"] })).output, "entrypoint given\n");
      assert.equal((await finish(rig, { command: ["echo", "other"] })).output, "other\n");
    },
  },
  {
    name: "the user is the image's, or the pod's; its variables and directory, too",
    async run(rig) {
      const { output } = await finish(rig, shell("id -u; id -g; echo $HOME $GREETING; pwd"));
      assert.equal(output, `${image.uid}\n${image.gid}\n/home/app hello\n/srv\n`);
      const asked = await finish(rig, {
        ...shell("id -u; id -g; pwd"),
        workingDir: "/made/here",
        securityContext: { runAsUser: 4321, runAsGroup: 5 },
      });
      assert.equal(asked.output, "4321\n5\n/made/here\n");
      assert.equal((await finish(rig, { ...shell("id -u; echo $HOME"), securityContext: { runAsUser: 0 } })).output, "0\n/root\n");
    },
  },
  {
    name: "runAsNonRoot is held against the image's user",
    async run({ runtime }) {
      const refusal = (securityContext: Container["securityContext"]) =>
        runtime.refusal?.(
          { metadata: { name: "p" }, spec: { containers: [] } },
          { name: "c", image: "busybox", ...(securityContext === undefined ? {} : { securityContext }) },
        );
      assert.match(refusal({ runAsNonRoot: true }) ?? "", /image has non-numeric user \(app\), cannot verify user is non-root/);
      assert.match(refusal({ runAsNonRoot: true, runAsUser: 0 }) ?? "", /breaks non-root policy/);
      assert.equal(refusal({ runAsNonRoot: true, runAsUser: 7 }), undefined);
      assert.match(refusal({ capabilities: { add: ["FLY"] } }) ?? "", /invalid capability: FLY/);
    },
  },
  {
    name: "what a container writes is its own: the image stays as it is",
    async run(rig) {
      const root = { securityContext: { runAsUser: 0 } };
      const script = "cat /etc/motd; echo changed > /etc/motd; rm -r /srv; mkdir /srv; ls /srv; cat /etc/motd";
      for (let i = 0; i < 2; i++) assert.equal((await finish(rig, { ...shell(script), ...root })).output, "welcome\nchanged\n");
    },
  },
  {
    name: "what it has written is measured, and goes with it",
    async run(rig) {
      const started = await start(rig, {
        ...shell("dd if=/dev/zero of=/big bs=1024 count=2048 2>/dev/null; echo done; sleep 1000"),
        securityContext: { runAsUser: 0 },
      });
      await until(() => started.output() === "done\n");
      assert.ok(((await started.running.writtenBytes?.()) ?? 0) >= 2 * 2 ** 20);
      const upper = join(rig.directory, started.pod.uid, "main-0", "upper");
      assert.ok(existsSync(upper));
      started.running.signal("SIGKILL");
      await started.running.exited;
      await until(() => !existsSync(upper));
      await started.remove();
    },
  },
  {
    name: "a root file system that is read-only: volumes can be written",
    async run(rig) {
      const mounts = [{ mountPath: "/data", source: scratchDirectory(rig, "volume"), readOnly: false }];
      const script = "for path in /x /tmp/x /etc/x /data/x; do (echo > $path) 2>/dev/null && echo $path; done; echo done";
      const { output } = await finish(
        rig,
        { ...shell(script), securityContext: { readOnlyRootFilesystem: true, runAsUser: 0 } },
        { mounts },
      );
      assert.equal(output, "/data/x\ndone\n");
    },
  },
  {
    name: "capabilities: those of Kubernetes by default, taken away, added; none for who is not root, and no new ones",
    async run(rig) {
      const of = async (securityContext: Container["securityContext"]) => {
        const { output } = await finish(rig, {
          ...shell("grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status"),
          ...(securityContext === undefined ? {} : { securityContext }),
        });
        const [, effective = "", bounding = "", noNew = ""] =
          /CapEff:\s*(\w+)\nCapBnd:\s*(\w+)\nNoNewPrivs:\s*(\d)/.exec(output.replace(/(CapBnd.*)\n(CapEff.*)\n/, "$2\n$1\n")) ?? [];
        return [BigInt(`0x${effective}`), BigInt(`0x${bounding}`), noNew] as const;
      };
      const defaults = 0xa00425fbn & ~(1n << 27n);
      assert.deepEqual(await of({ runAsUser: 0 }), [defaults, defaults, "0"]);
      assert.deepEqual(await of({}), [0n, defaults, "0"]);
      const admin = 1n << 12n;
      assert.deepEqual(await of({ runAsUser: 0, capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] }, allowPrivilegeEscalation: false }), [
        admin,
        admin,
        "1",
      ]);
    },
  },
  {
    name: "what tells of the machine is not there",
    async run(rig) {
      const script =
        "cat /proc/kcore 2>/dev/null | wc -c; ls /sys/firmware | wc -l; ls /sys/fs/cgroup | wc -l; (echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo refused; ls -d /proc/[0-9]* | wc -l";
      const { output } = await finish(rig, { ...shell(script), securityContext: { runAsUser: 0 } });
      const [kcore, firmware, cgroups, sysctl, processes] = output.trim().split("\n");
      assert.deepEqual([kcore, firmware, cgroups, sysctl], ["0", "0", "0", "refused"]);
      assert.ok(Number(processes) < 6, `${processes} processes are seen`);
    },
  },
  {
    name: "the signal that stops it is the image's",
    async run(rig) {
      const started = await start(rig, waits);
      assert.equal(started.running.stopSignal, image.stopSignal);
      assert.match(started.running.id, /^(?:crun|runc):\/\/[0-9a-f]{64}$/);
      await started.remove();
    },
  },
  {
    name: "exec is the same user, in the same files",
    async run(rig) {
      const started = await start(rig, { ...shell("echo x > /tmp/own; echo up; sleep 1000") });
      await until(() => started.output() === "up\n");
      assert.equal(
        (await exec(started, ["sh", "-c", "id -u; cat /tmp/own; pwd; grep NoNewPrivs /proc/self/status | cut -f2"])).output,
        `${image.uid}\nx\n/srv\n0\n`,
      );
      await started.remove();
    },
  },
];

export const realCases: readonly RuntimeCase[] = cases.map((one) => ({ ...one, needs: "real" }));
