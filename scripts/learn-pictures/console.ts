/** Takes the pictures of the console in `docs/learn`: sh bin/node scripts/learn-pictures/console.ts (needs namespaces, and Chromium). */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pictureDirectory } from "./write.ts";

const root = join(import.meta.dirname, "../..");
const ask = new URLSearchParams({ ask: "http://broken:8080", from: "pod/default/client" });
/** File name → what is on it, beside the shop. */
const pages: Readonly<Record<string, readonly string[]>> = {
  "console-shop.png": ["--page", "/", "--size", "1280x720"],
  "console-rules.png": ["--page", "/services/default/web", "--size", "1280x900"],
  "console-explain.png": ["--page", `/?${ask}`, "--size", "1280x800", "--manifests", join(root, "docs/learn/steps/broken.yaml")],
};

for (const [name, flags] of Object.entries(pages)) {
  const words = ["--mode", "namespaces", "--manifests", join(root, "docs/learn/shop"), "--out", join(pictureDirectory, name), ...flags];
  execFileSync(process.execPath, [join(root, "scripts/console-picture.ts"), ...words], { stdio: "inherit" });
}
