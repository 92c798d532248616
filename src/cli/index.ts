/** The command line: the program, its verbs and what an error looks like. Each verb's words are in its folder. */
import { Command, CommanderError, Help } from "commander";
import { FairleadError, errorMessage } from "../lib/errors.ts";
import { addClusterVerbs } from "./cluster/command.ts";
import { addConsole } from "./console/command.ts";
import { addDns } from "./dns/command.ts";
import { addDiff } from "./diff/command.ts";
import { addDoctor } from "./doctor/command.ts";
import { addExplain } from "./explain/command.ts";
import type { Report } from "./flags.ts";
import { addIngress } from "./ingress/command.ts";
import { addProxy } from "./proxy/command.ts";
import { addRun } from "./run/command.ts";
import { addSnapshot } from "./snapshot/command.ts";
import { createTerminal, type Terminal } from "./terminal.ts";
import { addSimulate } from "./simulate/command.ts";
import { addTestServer } from "./test-server/command.ts";
import { addUp } from "./up/command.ts";
import { kubernetesVersion, version } from "./version.ts";

/** Runs one command line; resolves with the exit code. 0: done; 1: it failed; 2: the command line is wrong. */
export async function run(argv: readonly string[]): Promise<number> {
  const terminal = createTerminal({ out: process.stdout, err: process.stderr, env: process.env, quiet: argv.includes("--quiet") });
  let code = 0;
  const program = build(argv, terminal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    return fail(error, terminal);
  }
}

function fail(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (!(error instanceof FairleadError)) {
    terminal.note(
      `${terminal.paint.red("error:")} ${error instanceof Error && process.env["FAIRLEAD_DEBUG"] !== undefined ? error.stack : errorMessage(error)}`,
    );
    return 1;
  }
  terminal.note(`${terminal.paint.red("error:")} ${error.message} ${terminal.paint.dim(`[${error.code}]`)}`);
  if (error.hint !== undefined) terminal.note(`${terminal.paint.cyan("hint:")}  ${error.hint}`);
  return error.code === "FL_USAGE" ? 2 : 1;
}

function build(argv: readonly string[], terminal: Terminal, report: Report): Command {
  const program = new Command("fairlead")
    .description(
      "Kubernetes Services on this machine: API server, controllers, DNS, proxy, and pods as processes.\nNo Docker, no root, about a second.",
    )
    .version(`fairlead ${version} (serves the API of Kubernetes ${kubernetesVersion})`)
    .configureHelp({ optionDescription: (option) => Help.prototype.optionDescription(option).replace(/ \(default: false\)/, "") })
    .showHelpAfterError("(fairlead --help shows the commands)")
    .exitOverride()
    .option("--quiet", "print results only, no progress")
    .addHelpText(
      "after",
      `
Examples:
  fairlead up -f my-manifests/           start a cluster with your manifests; Ctrl-C ends it
  fairlead up --detach                   the same in the background
  export KUBECONFIG=$(fairlead kubeconfig --path)
  kubectl get services --all-namespaces
  fairlead explain svc web               why each pod is an endpoint of web, or why not
  fairlead down                          stop it`,
    );
  addUp(program, argv, terminal, report);
  addClusterVerbs(program, terminal, report);
  addExplain(program, terminal, report);
  addDiff(program, terminal, report);
  addRun(program, terminal, report);
  addDoctor(program, terminal, report);
  addDns(program, terminal, report);
  addProxy(program, terminal, report);
  addIngress(program, terminal, report);
  addSnapshot(program, terminal, report);
  addConsole(program, terminal, report);
  addTestServer(program, terminal, report);
  addSimulate(program, terminal, report);
  addCompletion(program, terminal);
  return program;
}

function addCompletion(program: Command, terminal: Terminal): void {
  program
    .command("completion")
    .description("print a completion script: source <(fairlead completion bash)")
    .argument("<shell>", "bash, zsh or fish")
    .action(async (shell: string) => {
      const { completionEntries, completionScript } = await import("./completion.ts");
      terminal.print(completionScript(shell, completionEntries(program)).trimEnd());
    });
}
