import { assert, property, string } from "fast-check";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Container, Pod, PodSecurityContext } from "../../../api/types.ts";
import { allCapabilities, capabilitiesOf, defaultCapabilities, unknownCapabilities } from "./capabilities.ts";
import { imageUser } from "./image-user.ts";
import { decidePull } from "./pulled-images.ts";
import { containerSpec, type SpecInput } from "./spec.ts";
import { startMessage } from "./start-message.ts";
import { findOciTool } from "./tool.ts";

const pod = (securityContext: PodSecurityContext = {}, more: Partial<Pod["spec"]> = {}): Pod => ({
  metadata: { name: "web", namespace: "shop" },
  spec: { containers: [], securityContext, ...more },
});
const container = (more: Partial<Container> = {}): Container => ({ name: "c", image: "app", ...more });

describe("users", () => {
  const texts = {
    passwd: "root:x:0:0:root:/root:/bin/sh\napp:x:7:8:App:/home/app:/bin/sh\nbroken line\nbad:x:y:z::/:\n",
    group: "root:x:0:\nstaff:x:50:app,other\nwheel:x:10:app\n",
  };
  const user = (image: string, own: Container["securityContext"] = {}, shared: PodSecurityContext = {}) =>
    imageUser(pod(shared), container({ securityContext: own ?? {} }), image, texts);

  test.each<[string, ReturnType<typeof user>, object]>([
    ["none: root", user(""), { uid: 0, gid: 0, groups: [], home: "/root" }],
    ["a name", user("app"), { uid: 7, gid: 8, groups: [50, 10], home: "/home/app" }],
    ["a name and a group", user("app:staff"), { uid: 7, gid: 50, groups: [10], home: "/home/app" }],
    ["numbers that nobody has", user("99:98"), { uid: 99, gid: 98, groups: [], home: "/" }],
    ["a number of somebody", user("7"), { uid: 7, gid: 8, groups: [50, 10], home: "/home/app" }],
    ["the pod's before the image's", user("app", {}, { runAsUser: 5 }), { uid: 5, gid: 0, groups: [], home: "/" }],
    [
      "the container's before the pod's",
      user("app", { runAsUser: 7, runAsGroup: 1 }, { runAsUser: 5 }),
      { uid: 7, gid: 1, groups: [50, 10] },
    ],
    ["groups of the pod", user("app", {}, { supplementalGroups: [3], fsGroup: 4 }), { groups: [50, 10, 3, 4] }],
    ["those of the image left out", user("app", {}, { supplementalGroups: [3], supplementalGroupsPolicy: "Strict" }), { groups: [3] }],
  ])("%s", (_, answer, expected) => {
    expect(answer).toMatchObject({ kind: "ok", user: expected });
  });

  test.each<[string, ReturnType<typeof user>, RegExp]>([
    ["an unknown name", user("nobody-here"), /unable to find user nobody-here/],
    ["an unknown group", user("app:nothing"), /unable to find group nothing/],
    ["root by number against runAsNonRoot", user("0", { runAsNonRoot: true }), /image will run as root \(pod: "web", container: c\)/],
    ["root by default against runAsNonRoot", user("", {}, { runAsNonRoot: true }), /image will run as root/],
    ["a name against runAsNonRoot", user("app", { runAsNonRoot: true }), /non-numeric user \(app\), cannot verify/],
    ["0 asked for against runAsNonRoot", user("app", { runAsNonRoot: true, runAsUser: 0 }), /runAsUser breaks non-root policy/],
  ])("refused: %s", (_, answer, message) => {
    expect(answer).toMatchObject({ kind: "error", message: expect.stringMatching(message) as string });
  });

  test("any text of an image's files is read without a fault", () => {
    assert(
      property(
        string(),
        string(),
        string(),
        (name, passwd, group) => imageUser(pod(), container(), name, { passwd, group }).kind !== undefined,
      ),
    );
  });
});

test("capabilities: added and dropped by either form of their names", () => {
  const of = (capabilities: { add?: string[]; drop?: string[] }) => capabilitiesOf(container({ securityContext: { capabilities } }));
  expect(of({})).toEqual([...defaultCapabilities].toSorted());
  expect(of({ drop: ["ALL"] })).toEqual([]);
  expect(of({ drop: ["ALL"], add: ["NET_BIND_SERVICE", "cap_sys_time"] })).toEqual(["CAP_NET_BIND_SERVICE", "CAP_SYS_TIME"]);
  expect(of({ drop: ["CAP_NET_RAW"] })).not.toContain("CAP_NET_RAW");
  expect(of({ add: ["ALL"], drop: ["SYS_ADMIN"] })).toEqual(allCapabilities.filter((name) => name !== "CAP_SYS_ADMIN"));
  expect(capabilitiesOf(container({ securityContext: { privileged: true } }))).toEqual(allCapabilities);
  expect(defaultCapabilities).not.toContain("CAP_MKNOD");
  expect(unknownCapabilities(container({ securityContext: { capabilities: { add: ["ALL", "KILL", "FLY"] } } }))).toEqual(["FLY"]);
});

describe("config.json", () => {
  const input = (more: Partial<SpecInput> = {}): SpecInput => ({
    pod: pod(),
    container: container(),
    words: ["sh", "-c", "true"],
    env: { A: "b" },
    workingDir: "/srv",
    user: { uid: 7, gid: 8, groups: [9], home: "/" },
    terminal: false,
    root: "/data/root",
    hostname: "web",
    mounts: [],
    ownFiles: { "/etc/hosts": "/data/hosts" },
    anyUser: true,
    ...more,
  });
  // oxlint-disable-next-line typescript/no-explicit-any -- the tests look into a document
  const spec = (more?: Partial<SpecInput>): any => containerSpec(input(more));

  test("the process is the image's unless the container says otherwise", () => {
    expect(spec().process).toMatchObject({
      args: ["sh", "-c", "true"],
      env: ["A=b"],
      cwd: "/srv",
      user: { uid: 7, gid: 8, additionalGids: [9] },
      noNewPrivileges: false,
      capabilities: { effective: [], permitted: [] },
    });
    const own = container({ workingDir: "/own", securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true } });
    expect(spec({ container: own })).toMatchObject({ process: { cwd: "/own", noNewPrivileges: true }, root: { readonly: true } });
    expect(spec({ terminal: true, env: {} }).process).toMatchObject({ terminal: true, env: ["TERM=xterm"] });
    expect(spec({ workingDir: "" }).process.cwd).toBe("/");
    expect(spec({ user: { uid: 0, gid: 0, groups: [], home: "/" } }).process.capabilities.effective).toContain("CAP_KILL");
  });

  test("namespaces: the network is the caller's; who is the only user has one for users, and no groups", () => {
    const types = (document: { linux: { namespaces: { type: string }[] } }) => document.linux.namespaces.map(({ type }) => type);
    expect(types(spec())).toEqual(["pid", "ipc", "uts", "mount"]);
    const rootless = spec({ anyUser: false });
    expect(types(rootless)).toEqual(["pid", "ipc", "uts", "mount", "user"]);
    expect(rootless.linux.uidMappings).toEqual([{ containerID: 7, hostID: 0, size: 1 }]);
    expect(rootless.process.user).toEqual({ uid: 7, gid: 8 });
    expect(types(spec({ anyUser: false, user: { uid: 0, gid: 0, groups: [], home: "/" } }))).not.toContain("user");
    expect(types(spec({ pod: pod({}, { hostPID: true, hostIPC: true }) }))).toEqual(["uts", "mount"]);
    expect(spec({ target: 33 }).linux.namespaces[0]).toEqual({ type: "pid", path: "/proc/33/ns/pid" });
  });

  test("a volume at the path of a file of ours wins; what tells of the machine is masked unless the container is privileged", () => {
    const mounts = [{ mountPath: "/etc/hosts", source: "/vol", readOnly: true }];
    const at = (document: { mounts: { destination: string; source: string; options: string[] }[] }, path: string) =>
      document.mounts.filter(({ destination }) => destination === path);
    expect(at(spec({ mounts }), "/etc/hosts")).toEqual([
      { destination: "/etc/hosts", type: "bind", source: "/vol", options: ["rbind", "rprivate", "ro"] },
    ]);
    expect(at(spec(), "/sys")[0]?.options).toContain("ro");
    expect(spec().linux.maskedPaths).toContain("/proc/kcore");
    const privileged = spec({ container: container({ securityContext: { privileged: true } }) });
    expect(privileged.linux.maskedPaths).toEqual([]);
    expect(at(privileged, "/dev")).toMatchObject([{ type: "bind", source: "/dev" }]);
    expect(spec({ container: container({ securityContext: { procMount: "Unmasked" } }) }).linux.readonlyPaths).toEqual([]);
  });
});

test.each<[string, string]>([
  ["executable file `no-such` not found in $PATH: No such file or directory\n", 'exec: "no-such": executable file not found in $PATH'],
  ["2026-01-01T00:00:00.000000Z: executable file `/a` not found in $PATH\n", 'exec: "/a": stat /a: no such file or directory'],
  ["open executable: Permission denied\n", "exec: permission denied"],
  [
    'time="x" level=warning msg="w"\ntime="x" level=error msg="runc run failed: unable to start container process: exec: \\"a\\": permission denied"\n',
    'exec: "a": permission denied',
  ],
  ["error stat'ing file `/no`: No such file or directory", "error stat'ing file `/no`: No such file or directory"],
  ["", "the OCI runtime ended without a word"],
])("what a runtime logs %j", (log, said) => {
  expect(startMessage(log)).toBe(`unable to start container process: ${said}`);
});

test.each<[string | undefined, string | undefined, object]>([
  ["Always", "id", { kind: "pull" }],
  ["IfNotPresent", "id", { kind: "present", imageID: "id" }],
  ["IfNotPresent", undefined, { kind: "pull" }],
  ["Never", "id", { kind: "present", imageID: "id" }],
  [
    "Never",
    undefined,
    { kind: "absent", reason: "ErrImageNeverPull", message: 'Container image "app" is not present with pull policy of Never' },
  ],
])("pull policy %s, image %s", (imagePullPolicy, imageID, expected) => {
  expect(decidePull(container(imagePullPolicy === undefined ? {} : { imagePullPolicy }), imageID)).toEqual(expected);
});

test("crun goes before runc; what may not be run is none", () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-tools-"));
  try {
    mkdirSync(join(directory, "a"));
    writeFileSync(join(directory, "a", "runc"), "", { mode: 0o755 });
    expect(findOciTool(undefined, [join(directory, "a"), directory])?.name).toBe("runc");
    writeFileSync(join(directory, "crun"), "", { mode: 0o755 });
    expect(findOciTool(undefined, [join(directory, "a"), directory])).toEqual({ name: "crun", path: join(directory, "crun") });
    expect(findOciTool(["crun"], [join(directory, "a")])).toBeUndefined();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
