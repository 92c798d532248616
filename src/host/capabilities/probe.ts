/** Tries everything that `fairlead doctor` shows. Takes about 0.2 s, and leaves nothing behind. */
import { execFile } from "node:child_process";
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { fileURLToPath } from "node:url";
import { errnoCode, errorMessage } from "../../lib/errors.ts";
import { findTool } from "../launch/enter.ts";
import { loadLibc } from "../syscalls/libc.ts";
import { bestMode, capabilityIds, type Capability, type Mode } from "./capability.ts";
import { probeFfiPresence, probeNamespaces, probeTools, probeUserNamespaces } from "./quick.ts";

export interface Findings {
  /** In the order of `capabilityIds`; what could not be tried because something else is missing is left out. */
  readonly capabilities: readonly Capability[];
  readonly mode: Mode;
}

export async function probeCapabilities(): Promise<Findings> {
  const root = process.getuid?.() === 0 && probeNamespaces(true).ok;
  const namespaces = probeNamespaces(root);
  const kernel = namespaces.ok ? probeKernelInside(root) : Promise.resolve([]);
  const found = [probeTools(), probeFfi(), probeUserNamespaces(), namespaces, probeSubordinateIds(), probeOpenFiles(), probeTun()];
  const capabilities = [...found, await probeLowPorts(), ...(await kernel)];
  const ordered = capabilityIds.flatMap((id) => capabilities.filter((capability) => capability.id === id));
  // Root runs its nodes without a user namespace.
  const needed = root ? ordered.filter(({ id }) => id !== "user-namespaces") : ordered;
  return { capabilities: ordered, mode: bestMode(needed, root) };
}

function probeFfi(): Capability {
  const presence = probeFfiPresence();
  if (!presence.ok || loadLibc() !== undefined) return presence;
  return { id: "ffi", ok: false, why: `the package koffi does not load on ${process.platform} ${process.arch}` };
}

/** Children of their own, because a process with threads cannot try. */
function probeKernelInside(root: boolean): Promise<Capability[]> {
  const { promise, resolve } = Promise.withResolvers<Capability[]>();
  const flags = [...(root ? [] : ["--user", "--map-root-user"]), "--net", "--mount", "--"];
  const program = [process.execPath, ...process.execArgv, fileURLToPath(entryUrl())];
  execFile(findTool("unshare"), [...flags, ...program], { encoding: "utf8", timeout: 20_000 }, (error, output) => {
    const failed: Capability = { id: "links", ok: false, why: `the probe failed: ${error === null ? output : errorMessage(error)}` };
    try {
      resolve(error === null ? (JSON.parse(output) as Capability[]) : [failed]);
    } catch {
      resolve([failed]);
    }
  });
  return promise;
}

/** A port that web clients expect, on an address that nobody else uses. */
function probeLowPorts(): Promise<Capability> {
  const { promise, resolve } = Promise.withResolvers<Capability>();
  const server = createServer();
  server.once("error", (error) =>
    resolve({
      id: "low-ports",
      ok: errnoCode(error) === "EADDRINUSE",
      why: `port 80 on the host: ${errnoCode(error) ?? errorMessage(error)}`,
      enable: "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80",
    }),
  );
  const granted: Capability = { id: "low-ports", ok: true, why: "ports from 80 on can be opened on the host" };
  server.listen({ port: 80, host: "127.80.80.80" }, () => server.close(() => resolve(granted)));
  return promise;
}

/** A user without a line in /etc/passwd, as containers have it, goes by its number. */
function whoAmI(): { readonly username: string; readonly uid: number } {
  try {
    return userInfo();
  } catch {
    const uid = process.getuid?.() ?? 0;
    return { username: String(uid), uid };
  }
}

/** For pods whose processes are several users. */
function probeSubordinateIds(): Capability {
  const { username, uid } = whoAmI();
  const listed = (file: string) => {
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    return lines.some((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`));
  };
  const helpers = ["newuidmap", "newgidmap"].every((tool) => existsSync(findTool(tool)));
  if (uid === 0) return { id: "subordinate-ids", ok: true, why: "root needs none" };
  if (helpers && listed("/etc/subuid") && listed("/etc/subgid"))
    return { id: "subordinate-ids", ok: true, why: "ranges in /etc/subuid and /etc/subgid (nothing here uses them yet)" };
  return {
    id: "subordinate-ids",
    ok: false,
    why: `${helpers ? `no range for ${username} in /etc/subuid and /etc/subgid` : "newuidmap is not installed"} (nothing here uses them yet)`,
    enable: `install the package uidmap; sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}`,
  };
}

/** A pod takes about ten descriptors. Node raises the soft limit to the hard one by itself. */
function probeOpenFiles(): Capability {
  const needed = 16_384;
  const line = existsSync("/proc/self/limits") ? /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) : null;
  const limit = line === null ? Number.NaN : line[2] === "unlimited" ? Infinity : Number(line[2]);
  if (limit >= needed) return { id: "open-files", ok: true, why: `${limit} open files` };
  return {
    id: "open-files",
    ok: false,
    why: `at most ${limit} open files: enough for about ${Math.floor(limit / 10)} pods`,
    enable: `ulimit -Hn ${needed}`,
  };
}

function probeTun(): Capability {
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
    closeSync(openSync("/dev/net/tun", "r+"));
    return { id: "tun", ok: true, why: "/dev/net/tun can be opened (nothing here needs it)" };
  } catch (error) {
    return { id: "tun", ok: false, why: `/dev/net/tun: ${errnoCode(error) ?? errorMessage(error)} (nothing here needs it)` };
  }
}

/** Beside this file as source, beside the bundle as what the build writes. */
function entryUrl(): URL {
  return import.meta.url.endsWith(".ts")
    ? new URL("./kernel-entry.ts", import.meta.url)
    : new URL("./capability-probe.js", import.meta.url);
}
