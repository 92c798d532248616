/**
 * The iptables programs of this machine, legacy or nft variant, whichever is installed: `iptables-restore`, `iptables-save`,
 * `iptables`, and those of IPv6. Started without a shell; rules go in by standard input.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { FairleadError } from "../../lib/errors.ts";
import type { IpFamily } from "../../lib/ip.ts";

export interface Iptables {
  /** `iptables-restore --noflush`: each table of the text whole or not at all. Rejects with what the program says. */
  restore(family: IpFamily, text: string): Promise<void>;
  /**
   * All tables as `iptables-save` prints them, a line each: `*nat`, `:KUBE-SERVICES - [0:0]`, `-A KUBE-SERVICES …`. One command.
   * `keep`: only lines that it is true of, where there are many.
   */
  save(family: IpFamily, keep?: (line: string) => boolean): Promise<readonly string[]>;
  /** Whether every rule that the text asks for with `-C` is there. One command. Rejects where that cannot be told. */
  holds(family: IpFamily, text: string): Promise<boolean>;
  /** `iptables WORDS`: whether it was done. Rejects where the program is missing. */
  rule(family: IpFamily, words: readonly string[]): Promise<boolean>;
}

export interface IptablesProgramOptions {
  /** Words before each command: `["nsenter", "--net=PATH"]` for the namespace of a node. Default: none. */
  readonly enter?: readonly string[];
  /** A command that takes longer is ended. Default: a minute; a full sync of a large cluster takes seconds. */
  readonly timeoutMs?: number;
}

export function openIptables({ enter = [], timeoutMs = 60_000 }: IptablesProgramOptions = {}): Iptables {
  const run = (family: IpFamily, program: string, args: readonly string[], io: Io = {}) =>
    runProgram([...enter, `${family === 4 ? "iptables" : "ip6tables"}${program}`, ...args], timeoutMs, io);
  return {
    async restore(family, input) {
      const { status, message } = await run(family, "-restore", ["--noflush", "--wait"], { input });
      if (status !== 0) throw new FairleadError("FL_RUNTIME", `iptables-restore (IPv${family}): ${message}`);
    },
    async save(family, keep = () => true) {
      const lines: string[] = [];
      const { status, message } = await run(family, "-save", [], { line: (text) => void (keep(text) && lines.push(text)) });
      if (status !== 0) throw new FairleadError("FL_RUNTIME", `iptables-save (IPv${family}): ${message}`);
      return lines;
    },
    async holds(family, input) {
      const { status, message } = await run(family, "-restore", ["--noflush", "--wait"], { input });
      // 1: no such rule; 2: no such chain. Others are about the program or the machine.
      if (status === 0 || status === 1 || status === 2) return status === 0;
      throw new FairleadError("FL_RUNTIME", `iptables-restore (IPv${family}): ${message}`);
    },
    rule: async (family, words) => (await run(family, "", ["--wait", ...words])).status === 0,
  };
}

interface Io {
  readonly input?: string;
  /** Gets each line of the output. */
  readonly line?: (text: string) => void;
}

/** Of what a program complains about, as much as a person reads. */
const maxMessage = 2000;

function runProgram(words: readonly string[], timeout: number, { input, line }: Io): Promise<{ status: number | null; message: string }> {
  return new Promise((resolve, reject) => {
    const [program = "", ...args] = words;
    const child = spawn(program, args, { stdio: ["pipe", line === undefined ? "ignore" : "pipe", "pipe"], timeout });
    let message = "";
    child.once("error", (cause) =>
      reject(new FairleadError("FL_RUNTIME", `${program} cannot be started`, { cause, hint: "Install iptables." })),
    );
    child.stderr?.on("data", (chunk: Buffer) => (message = (message + chunk.toString("utf8")).slice(0, maxMessage)));
    if (line !== undefined && child.stdout !== null) createInterface({ input: child.stdout }).on("line", line);
    // A program that refuses its input early closes it; what it says is in its message.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input ?? "");
    child.once("close", (status, signal) => resolve({ status, message: signal === null ? message.trim() : `ended by ${signal}` }));
  });
}
