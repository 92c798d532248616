/** What exec and attach have in common over WebSocket and SPDY (kubelet `pkg/cri/streaming/remotecommand`). */
import type { ExecSession, ExitStatus } from "../../api/node-agent.ts";
import type { Status } from "../../api/types.ts";

/** How a command ended, in the form that clients take exit codes from (version 4 of the protocol and newer). */
export function exitStatus(exit: ExitStatus): Status {
  if (exit.kind === "failed") return { metadata: {}, status: "Failure", reason: "InternalError", message: exit.message, code: 500 };
  if (exit.code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with non-zero exit code: exit status ${exit.code}`,
    details: { causes: [{ reason: "ExitCode", message: String(exit.code) }] },
  };
}

export type OutputSink = (stream: "stdout" | "stderr", chunk: Uint8Array) => void;

/** Keeps what the command says until the client is there to hear it: a short command ends before that. Call it at once. */
export function holdOutput(session: ExecSession): (sink: OutputSink) => void {
  const held: Parameters<OutputSink>[] = [];
  let current: OutputSink = (...output) => void held.push(output);
  session.onOutput((stream, chunk) => current(stream, chunk));
  return (sink) => {
    for (const output of held.splice(0)) sink(...output);
    current = sink;
  };
}

/** A message of the resize stream: `{"Width":80,"Height":24}`. Anything else leaves the terminal as it is. */
export function resize(session: ExecSession, message: string): void {
  try {
    const { Width, Height } = JSON.parse(message) as { Width?: unknown; Height?: unknown };
    if (isSize(Width) && isSize(Height)) session.resize(Width, Height);
  } catch {
    // Not JSON: the terminal keeps its size.
    return;
  }
}

const isSize = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0 && (value as number) < 65536;
