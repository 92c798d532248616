/** Runs a command in a container to its end, as probes and hooks do. */
import type { RunningContainer } from "./runtime/runtime.ts";

const maxOutputBytes = 10 * 1024;

export interface CommandResult {
  readonly code: number | "timeout";
  /** The first 10 KiB of both streams. */
  readonly output: string;
}

export async function runCommand(
  running: RunningContainer,
  container: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<CommandResult> {
  const session = await running.exec({ container, command, stdin: false, stdout: true, stderr: true, tty: false });
  const chunks: Uint8Array[] = [];
  let size = 0;
  session.onOutput((_, chunk) => {
    if (size < maxOutputBytes) chunks.push(chunk);
    size += chunk.length;
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expired = new Promise<"timeout">((resolve) => (timer = setTimeout(() => resolve("timeout"), timeoutMs)));
  const status = await Promise.race([session.done, expired]);
  clearTimeout(timer);
  if (status === "timeout") session.kill();
  const output = Buffer.concat(chunks).subarray(0, maxOutputBytes).toString("utf8");
  if (status === "timeout") return { code: "timeout", output };
  return status.kind === "exited" ? { code: status.code, output } : { code: 126, output: status.message };
}
