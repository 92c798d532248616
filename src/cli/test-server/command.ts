/** The words of `fairlead test-server`. */
import type { Command } from "commander";
import { checked, withOutput, type Report } from "../flags.ts";
import { listOption, type Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";

interface Flags {
  readonly filename?: readonly string[];
  readonly output: Output;
}

export function addTestServer(program: Command, terminal: Terminal, report: Report): void {
  withOutput(program.command("test-server"))
    .description("a cluster for the tests of a program in any language: prints its kubeconfig's path when ready, ends with its parent")
    .option("-f, --filename <path>", "manifests: a file, a directory; may be repeated", checked(listOption))
    .addHelpText(
      "after",
      `
It ends when its standard input closes (where that is a pipe), when the process that started it is gone, or by a signal, and leaves
nothing behind. With -o json it also takes orders, one JSON-RPC 2.0 request a line on standard input (docs/testing.md):
  {"jsonrpc":"2.0","id":1,"method":"clock.advance","params":{"ms":60000}}`,
    )
    .action(async ({ filename = [], output }: Flags) => {
      const { testServer } = await import("./test-server.ts");
      report(await testServer({ files: filename, output, input: process.stdin }, terminal));
    });
}
