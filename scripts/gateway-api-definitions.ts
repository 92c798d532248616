/**
 * Writes `packaging/gateway-api.json.br`: the Gateway API's definitions of both channels as its release has them, for `fairlead up
 * --gateway-api`. Needs `go`, which fetches the release from its module proxy. `sh bin/node scripts/gateway-api-definitions.ts VERSION`
 */
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const [release] = process.argv.slice(2);
if (release === undefined || !/^\d+\.\d+\.\d+$/.test(release)) throw new Error("which release? 1.6.3");
const directory = mkdtempSync(join(tmpdir(), "gateway-api-"));
try {
  const words = ["mod", "download", "-json", `sigs.k8s.io/gateway-api@v${release}`];
  const { Dir } = JSON.parse(execFileSync("go", words, { cwd: directory, encoding: "utf8" })) as { Dir: string };
  const channel = (name: string) =>
    // Not the policies that keep a cluster from changing the channel: what is installed here is what was asked for.
    globSync(`config/crd/${name}/gateway.networking.k8s.io_*.yaml`, { cwd: Dir })
      .filter((file) => !file.includes("_vap_"))
      .toSorted()
      .map((file) => readFileSync(join(Dir, file), "utf8"))
      .join("\n---\n");
  const text = JSON.stringify({ release, standard: channel("standard"), experimental: channel("experimental") });
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
  };
  writeFileSync(join(import.meta.dirname, "../packaging/gateway-api.json.br"), brotliCompressSync(text, { params }));
} finally {
  rmSync(directory, { recursive: true });
}
