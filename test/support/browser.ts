/** Finds Chromium as a user would have it; as root it is installed where it is missing. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome"];
const patient = 300_000;

function find(): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return names.flatMap((name) => directories.map((directory) => join(directory, name))).find((path) => existsSync(path));
}

/** Undefined: there is none, and it could not be installed. */
export function findChromium(): string | undefined {
  const found = find();
  if (found !== undefined || process.getuid?.() !== 0) return found;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], { env, stdio: "ignore", timeout: patient });
  return find();
}

export const noChromium = "needs Chromium: apt-get install chromium";

export function launchChromium(executablePath: string): Promise<Browser> {
  // Chromium will not start its sandbox as root; the pages are the test's own.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args, timeout: patient });
}
