/** Asks a program of this machine a question. */
import { execFile } from "node:child_process";

export type ToolAnswer =
  | { readonly kind: "ok"; readonly output: string }
  | { readonly kind: "missing" }
  /** It ended badly, or took longer than `timeoutMs`. */
  | { readonly kind: "failed"; readonly message: string };

/** Runs it without a shell and with nothing on standard input; at most 1 MiB of output is read. Never rejects. */
export function askTool(program: string, args: readonly string[], timeoutMs = 5000): Promise<ToolAnswer> {
  return new Promise((resolve) => {
    const child = execFile(program, [...args], { timeout: timeoutMs, maxBuffer: 1 << 20 }, (error, output) => {
      if (error === null) resolve({ kind: "ok", output });
      else if (error.code === "ENOENT") resolve({ kind: "missing" });
      else resolve({ kind: "failed", message: error.message.split("\n")[0] ?? "" });
    });
    child.stdin?.end();
  });
}
