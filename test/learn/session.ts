/** A shell that keeps its variables from one command to the next, as a reader's does. */
import { spawn } from "node:child_process";

export interface Session {
  /** What the command prints, standard error included, without colours and the last newline. */
  run(command: string): Promise<string>;
  close(): void;
}

const marker = "\u0001";

export function openSession(cwd: string, env: NodeJS.ProcessEnv): Session {
  const shell = spawn("bash", ["--norc", "--noprofile"], { cwd, env, stdio: ["pipe", "pipe", "inherit"] });
  let text = "";
  let arrived: () => void = () => undefined;
  shell.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    arrived();
  });
  let ended = false;
  shell.once("close", () => {
    ended = true;
    arrived();
  });
  shell.stdin.write("exec 2>&1\n");
  return {
    async run(command) {
      text = "";
      // What a command reads is not the commands after it.
      shell.stdin.write(`{ ${command}\n} </dev/null\nprintf '${marker}'\n`);
      while (!text.endsWith(marker)) {
        if (ended) throw new Error(`the shell ended in: ${command}`);
        await new Promise<void>((resolve) => (arrived = resolve));
      }
      return text.slice(0, -marker.length).replace(/\n$/, "");
    },
    close: () => void shell.kill(),
  };
}
