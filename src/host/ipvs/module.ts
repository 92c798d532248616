/** Loads a module of the kernel, which is the machine's: as root of the machine only. */
import { askTool } from "../tool.ts";

/** Whether it is there now. Never rejects; `name` is ours, never a user's. */
export async function loadModule(name: string): Promise<boolean> {
  return (await askTool("modprobe", ["--", name], 10_000)).kind === "ok";
}
