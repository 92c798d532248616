/**
 * Programs that run beside a test and must not outlive it: a test that fails leaves its child alive, whose open pipes then keep the whole
 * run from ending.
 */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { onTestFinished } from "vitest";

const running = new Set<ChildProcess>();

// Whatever ends this process, its children go too.
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** `spawn`, but what still runs when the test ends (or, started outside of one, when this process ends) is killed. */
export function startChild(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(command, [...args], options);
  running.add(child);
  child.once("close", () => running.delete(child));
  try {
    onTestFinished(() => void child.kill("SIGKILL"));
  } catch {
    // Started by a hook: the file's other tests need it.
    return child;
  }
  return child;
}
