/** The images of `src/kubelet/runtime/cases`, made of this machine's busybox and of the Node that runs the tests. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { buildImage, writeLayout } from "../../src/kubelet/images/fake/image-builder.ts";
import type { WrittenEntry } from "../../src/kubelet/images/fake/tar-writer.ts";

/** Writes an OCI layout with `busybox` and `node`. */
export function writeCaseImages(directory: string, busybox: string): void {
  const base = baseLayer(busybox);
  const own: readonly WrittenEntry[] = [{ name: "srv/inside", content: "x" }];
  writeLayout(directory, {
    "docker.io/library/busybox:latest": buildImage({
      layers: [base, own],
      config: {
        Entrypoint: ["echo", "entrypoint"],
        Cmd: ["default"],
        User: "app",
        WorkingDir: "/srv",
        StopSignal: "SIGUSR1",
        Env: ["PATH=/bin", "GREETING=hello"],
      },
    }),
    "docker.io/library/node:latest": buildImage({
      layers: [base, nodeLayer()],
      compression: "none",
      config: { Cmd: ["node"], Env: ["PATH=/bin"] },
    }),
  });
}

function baseLayer(busybox: string): readonly WrittenEntry[] {
  const applets = execFileSync(busybox, ["--list"], { encoding: "utf8" })
    .split("\n")
    .filter((name) => name !== "" && name !== "busybox");
  return [
    ...["bin", "etc", "proc", "sys", "dev", "root", "home", "home/app", "srv", "usr", "usr/share", "var", "opt"].map((name) => ({
      name: `${name}/`,
      type: "5",
    })),
    { name: "tmp/", type: "5", mode: 0o1777 },
    { name: "bin/busybox", content: readFileSync(busybox), mode: 0o755 },
    ...applets.map((name) => ({ name: `bin/${name}`, type: "2", linkName: "busybox" })),
    { name: "etc/passwd", content: "root:x:0:0:root:/root:/bin/sh\napp:x:1234:77::/home/app:/bin/sh\n" },
    { name: "etc/group", content: "root:x:0:\nstaff:x:77:\n" },
    { name: "etc/motd", content: "welcome\n" },
  ];
}

/** With the libraries that it is linked to. */
function nodeLayer(): readonly WrittenEntry[] {
  const listed = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
  const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  return [process.execPath, ...libraries].map((path) => ({
    name: path === process.execPath ? "bin/node" : path.slice(1),
    content: readFileSync(path),
    mode: 0o755,
  }));
}
