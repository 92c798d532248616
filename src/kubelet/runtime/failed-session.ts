/** An exec that never ran. */
import type { ExecSession } from "../../api/node-agent.ts";

export function failedSession(message: string): ExecSession {
  return {
    write: () => Promise.resolve(),
    closeStdin: () => undefined,
    onOutput: () => undefined,
    resize: () => undefined,
    done: Promise.resolve({ kind: "failed", message }),
    kill: () => undefined,
  };
}
