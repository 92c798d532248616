/** What a container sees of files, and as whom. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Container } from "../../../api/types.ts";
import { connectFromHost } from "../connect.ts";
import { exec, finish, scratchDirectory, shell, start, until, type RuntimeCase } from "./rig.ts";

export const fileCases: readonly RuntimeCase[] = [
  {
    name: "a volume is found at its path",
    async run(rig) {
      const source = scratchDirectory(rig, "volume");
      mkdirSync(source, { recursive: true });
      writeFileSync(join(source, "app.conf"), "answer=42\n");
      const mounts = [{ mountPath: "/etc/fairlead-case", source, readOnly: true }];
      const { output } = await finish(rig, { command: ["cat", "/etc/fairlead-case/app.conf"] }, { mounts });
      assert.equal(output, "answer=42\n");
    },
  },
  {
    name: "an image with files of its own: agnhost, by its entrypoint and by exec",
    only: "process",
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
];

/** Where each container has files of its own, each pod a network of its own. */
export const isolatedFileCases: readonly RuntimeCase[] = [
  {
    name: "nothing of the user's or the cluster's is seen",
    only: "process",
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
    only: "process",
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
    only: "process",
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
      const source = scratchDirectory(rig, "volume");
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
      assert.match(output, /\/data\/inner\/x'?: Read-only file system/);
      assert.equal(existsSync("/usr/share/fairlead-case"), false);
    },
  },
  {
    name: "a pod of image fairlead.dev/run says how to join it",
    only: "process",
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
  {
    name: "what an image brings can be moved away and back",
    only: "process",
    async run(rig) {
      const script = "mv /agnhost /tmp/moved && test ! -e /agnhost && mv /tmp/moved /agnhost && test -x /agnhost && echo back";
      const { output } = await finish(rig, { image: "registry.k8s.io/e2e-test-images/agnhost:2.53", ...shell(script) });
      assert.equal(output, "back\n");
    },
  },
  {
    name: "readOnlyRootFilesystem: nothing can be written but volumes, and /dev/shm",
    only: "process",
    async run(rig) {
      const source = scratchDirectory(rig, "volume");
      const mounts = [
        { mountPath: "/data", source, readOnly: false },
        { mountPath: "/usr/share/fairlead-case", source, readOnly: false },
      ];
      const paths = [
        "/x",
        "/tmp/x",
        "/run/x",
        "/usr/x",
        "/etc/x",
        "/usr/share/x",
        "/dev/x",
        "/data/x",
        "/usr/share/fairlead-case/y",
        "/dev/shm/x",
      ];
      const script = `for path in ${paths.join(" ")}; do (echo > $path) 2>/dev/null && echo $path; done; echo > /dev/null && echo done`;
      const { output } = await finish(rig, { ...shell(script), securityContext: { readOnlyRootFilesystem: true } }, { mounts });
      assert.deepEqual(output.trim().split("\n"), ["/data/x", "/usr/share/fairlead-case/y", "/dev/shm/x", "done"]);
    },
  },
];

async function request(socket: import("node:stream").Duplex, path = "/"): Promise<string> {
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

/** The user's own number, as the user namespace around us was given it. */
function outsideUser(): string {
  return process.env["FAIRLEAD_CASE_UID"] ?? "";
}
