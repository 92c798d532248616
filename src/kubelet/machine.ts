/** Reads what the machine is, for its Node object. */
import { readFileSync } from "node:fs";
import { arch, availableParallelism, hostname, platform, release, totalmem, type } from "node:os";
import type { MachineFacts } from "./node-object.ts";

/** Names as Go has them, which is what node labels use. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", ia32: "386" };

export function readMachine(): MachineFacts {
  return {
    cpuCores: availableParallelism(),
    memoryBytes: totalmem(),
    architecture: architectures[arch()] ?? arch(),
    operatingSystem: platform(),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(textOf("/etc/os-release"))?.[1] ?? type(),
    machineID: textOf("/etc/machine-id").trim() || hostname(),
    bootID: textOf("/proc/sys/kernel/random/boot_id").trim(),
  };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Not every system has these files; the facts are for people only.
    return "";
  }
}
