/** The words of `fairlead dns`. */
import type { Command } from "commander";
import type { Report } from "../flags.ts";
import type { Terminal } from "../terminal.ts";

/** Flags are coredns's, which commander cannot read: all words go on as they are. */
export function addDns(program: Command, terminal: Terminal, report: Report): void {
  program
    .command("dns")
    .description("the DNS server by itself, with coredns's flags; check, plan, query, top, node-cache")
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: readonly string[]) => {
      const { dns } = await import("./dns.ts");
      report(await dns(words, terminal));
    });
}
