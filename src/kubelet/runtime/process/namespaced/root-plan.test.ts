import { array, assert, constantFrom, property, record, boolean } from "fast-check";
import { expect, test } from "vitest";
import type { Mount } from "../../../../host/namespaces/namespaces.ts";
import { containerRoot, type ContainerRootInput } from "./container-root.ts";
import { RootPlan, type MachineFiles } from "./root-plan.ts";

/** A machine: path → what is there; directories above are implied. */
function machine(files: Readonly<Record<string, "file" | "directory" | { readonly link: string }>>): MachineFiles {
  const all = new Map<string, "file" | "directory" | { readonly link: string }>([["/", "directory"]]);
  for (const [path, what] of Object.entries(files)) {
    const parts = path.split("/").slice(1);
    for (let i = 1; i < parts.length; i++) all.set(`/${parts.slice(0, i).join("/")}`, "directory");
    all.set(path, what);
  }
  return {
    kind: (path) => {
      const what = all.get(path);
      return what === undefined ? "absent" : typeof what === "object" ? "link" : what;
    },
    list: (path) =>
      [...all.keys()].filter((key) => key !== "/" && key.slice(0, key.lastIndexOf("/")) === path).map((key) => key.slice(path.length + 1)),
    readLink: (path) => (all.get(path) as { link: string }).link,
    size: (path) => (path.includes("large") ? 2 ** 21 : 100),
  };
}

const debian = machine({
  "/usr/bin/sh": "file",
  "/usr/bin/env": "file",
  "/usr/share/doc": "directory",
  "/usr/share/zoneinfo": "directory",
  "/bin": { link: "usr/bin" },
  "/etc/passwd": "file",
  "/etc/hosts": "file",
  "/etc/hostname": "file",
  "/etc/ssl/certs": "directory",
  "/etc/resolv.conf": { link: "../run/systemd/resolve/stub.conf" },
  "/etc/mtab": { link: "../proc/self/mounts" },
  "/opt/tool/bin": "directory",
  "/home/me/.ssh/id": "file",
  "/home/me/node/bin": "directory",
  "/opt/data/store": "file",
  "/v/config/app.yaml": "file",
  "/v/data": "directory",
});

const input: ContainerRootInput = {
  files: debian,
  needs: [],
  imageFiles: {},
  hidden: [],
  mounts: [],
  ownFiles: {},
  workingDirectory: "/",
  home: "/home",
  privileged: false,
};

const render = (plan: RootPlan) => plan.mounts("/R").map(text);

function text(mount: Mount): string {
  const target = mount.target.slice(2) || "/";
  switch (mount.kind) {
    case "bind":
      return `${mount.source} ${mount.readOnly ? "ro" : "rw"} → ${target}`;
    case "symlink":
      return `link ${target} → ${mount.to}`;
    default:
      return `${mount.kind} ${target}`;
  }
}

test("a container has the machine's programs read-only, and neither homes nor data", () => {
  const mounts = render(containerRoot(input));
  expect(mounts[0]).toBe("tmpfs /");
  expect(mounts).toContain("/usr ro → /usr");
  expect(mounts).toContain("/etc ro → /etc");
  expect(mounts).toContain("link /bin → usr/bin");
  expect(mounts).toContain("proc /proc");
  expect(mounts.filter((mount) => /\/home\/me|\/v\b/.test(mount))).toEqual([]);
});

test("a volume at a path that the machine lacks unfolds the directory above it, and that alone", () => {
  const mounts = render(containerRoot({ ...input, mounts: [{ mountPath: "/usr/share/nginx/html", source: "/v/data", readOnly: false }] }));
  const from = mounts.indexOf("/usr ro → /usr");
  expect(mounts.slice(from, from + 6)).toEqual([
    "/usr ro → /usr",
    "tmpfs /usr/share",
    "/usr/share/doc ro → /usr/share/doc",
    "/usr/share/zoneinfo ro → /usr/share/zoneinfo",
    "directory /usr/share/nginx",
    "/v/data rw → /usr/share/nginx/html",
  ]);
});

test("own files go over the machine's, through its links; unfolding keeps both links and what was put before", () => {
  const ownFiles = { "/etc/resolv.conf": "/p/resolv.conf", "/etc/hosts": "/p/hosts" };
  const folded = render(containerRoot({ ...input, ownFiles }));
  expect(folded).toContain("/p/resolv.conf rw → /run/systemd/resolve/stub.conf");
  expect(folded).toContain("/p/hosts rw → /etc/hosts");
  const unfolded = render(containerRoot({ ...input, ownFiles, mounts: [{ mountPath: "/etc/app", source: "/v/config", readOnly: true }] }));
  expect(unfolded).toEqual(
    expect.arrayContaining([
      "tmpfs /etc",
      "/etc/passwd ro → /etc/passwd",
      "link /etc/mtab → ../proc/self/mounts",
      "/v/config ro → /etc/app",
      "/p/hosts rw → /etc/hosts",
      "/p/resolv.conf rw → /run/systemd/resolve/stub.conf",
    ]),
  );
});

test("an image's small files are copies, but never over the machine's own, nor large ones", () => {
  const files = machine({ "/usr/bin/sh": "file", "/etc/passwd": "file", "/i/tool": "file", "/i/large": "file", "/i/passwd": "file" });
  const imageFiles = { "/tool": "/i/tool", "/opt/x/large": "/i/large", "/etc/passwd": "/i/passwd", "/usr/bin/tool": "/i/tool" };
  const plan = containerRoot({ ...input, files, imageFiles });
  const made = render(plan).filter((line) => line.includes("/i/") || line.startsWith("copy"));
  expect(made.sort()).toEqual(["/i/large ro → /opt/x/large", "/i/passwd ro → /etc/passwd", "copy /tool", "copy /usr/bin/tool"]);
  expect(plan.locate("/tool")).toBe("/i/tool");
});

test("what is hidden is not seen in a system directory, but what an image needs of it is", () => {
  const mounts = render(
    containerRoot({
      ...input,
      hidden: ["/opt/data", "/home/me", "/etc/passwd", "/etc/absent"],
      needs: ["/home/me/node/bin", "/opt/data/store", "/absent"],
    }),
  );
  expect(mounts).toContain("tmpfs /opt/data");
  expect(mounts).toContain("/dev/null ro → /etc/passwd");
  expect(mounts.some((mount) => mount.includes("/etc/absent"))).toBe(false);
  expect(mounts).toContain("/home/me/node/bin ro → /home/me/node/bin");
  expect(mounts.indexOf("/opt/data/store ro → /opt/data/store")).toBeGreaterThan(mounts.indexOf("tmpfs /opt/data"));
  expect(mounts.some((mount) => mount.includes("/absent") || mount.includes(".ssh"))).toBe(false);
});

test("a volume inside a volume has its place made in the outer one", () => {
  const plan = containerRoot({
    ...input,
    mounts: [
      { mountPath: "/data", source: "/v/data", readOnly: false },
      { mountPath: "/data/etc/app.yaml", source: "/v/config/app.yaml", readOnly: true },
      { mountPath: "/data/sub", source: "/v/config", readOnly: true },
    ],
  });
  expect(plan.made).toEqual([
    { path: "/v/data/etc", kind: "directory" },
    { path: "/v/data/etc/app.yaml", kind: "file" },
    { path: "/v/data/sub", kind: "directory" },
  ]);
});

test("the pod's own volume at /etc/hosts wins; a working directory is made where it is missing", () => {
  const mounts = render(
    containerRoot({
      ...input,
      ownFiles: { "/etc/hosts": "/p/hosts" },
      mounts: [{ mountPath: "/etc/hosts", source: "/v/config/app.yaml", readOnly: true }],
      workingDirectory: "/srv/app",
    }),
  );
  expect(mounts).toContain("/v/config/app.yaml ro → /etc/hosts");
  expect(mounts.some((mount) => mount.startsWith("/p/hosts"))).toBe(false);
  expect(mounts).toContain("directory /srv/app");
});

test("paths are located through links and mounts", () => {
  const plan = containerRoot({ ...input, mounts: [{ mountPath: "/app", source: "/v/config", readOnly: true }] });
  expect(plan.locate("/bin/sh")).toBe("/usr/bin/sh");
  expect(plan.locate("/app/app.yaml")).toBe("/v/config/app.yaml");
  expect(plan.locate("/home/me/.ssh/id")).toBeUndefined();
  expect(plan.locate("/v/config")).toBeUndefined();
});

test("links that lead nowhere or in circles, and the root itself, are refused", () => {
  const circles = machine({ "/etc/a": { link: "b" }, "/etc/b": { link: "a" } });
  const plan = new RootPlan(circles, 1);
  plan.put("/etc", { kind: "bind", source: "/etc", readOnly: true, volume: false });
  expect(() => plan.put("/etc/a", { kind: "directory", mode: 0o755 })).toThrow("too many levels");
  expect(() => plan.put("/..", { kind: "proc" })).toThrow("over /");
});

const paths = constantFrom(
  "/etc/app",
  "/etc/ssl/certs",
  "/usr/share/x/y",
  "/data",
  "/data/a",
  "/usr/bin/sh",
  "/bin/new",
  "/etc/resolv.conf",
  "/a/../b",
  "/opt",
);

test("property: every volume is mounted once, after what it lies in, and nothing of a home is ever bound", () => {
  const mount = record({ mountPath: paths, source: constantFrom("/v/data", "/v/config"), readOnly: boolean() });
  assert(
    property(array(mount, { maxLength: 6 }), (mounts) => {
      const unique = [...new Map(mounts.map((one) => [one.mountPath, one])).values()].sort(
        (a, b) => a.mountPath.length - b.mountPath.length,
      );
      const made = containerRoot({ ...input, mounts: unique }).mounts("/R");
      const volumes = made.filter((one) => one.kind === "bind" && one.source.startsWith("/v/"));
      expect(volumes).toHaveLength(unique.length);
      for (const [i, one] of made.entries()) {
        // No later mount hides this one: none lies above it.
        expect(made.slice(i + 1).some(({ target, kind }) => kind !== "directory" && one.target.startsWith(`${target}/`))).toBe(false);
        if (one.kind === "bind") expect(one.source.startsWith("/home")).toBe(false);
      }
    }),
  );
});
