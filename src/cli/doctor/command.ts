/** The words of `fairlead doctor`. */
import type { Command } from "commander";
import { withOutput, type Report } from "../flags.ts";
import type { Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";

export function addDoctor(program: Command, terminal: Terminal, report: Report): void {
  withOutput(program.command("doctor"))
    .description("what this machine lets clusters do, and what to run to have more; exit code 1 when none can run")
    .action(async (flags: { output: Output }) => {
      const { doctor } = await import("./doctor.ts");
      report(await doctor(flags, terminal));
    });
}
