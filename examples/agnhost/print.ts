/** Subcommands that print what their machine is told, and end. */
import { readFileSync } from "node:fs";

export function dnsSuffix(): void {
  const searches = lines("search").at(-1) ?? [];
  console.log(searches.join(","));
}

export function dnsServerList(): void {
  console.log(
    lines("nameserver")
      .map(([server]) => server)
      .join(","),
  );
}

export function etcHosts(): void {
  process.stdout.write(readFileSync("/etc/hosts"));
}

/** As Go prints a list. */
export function entrypoint(words: readonly string[]): void {
  console.log(`[${["/agnhost", "entrypoint-tester", ...words].join(" ")}]`);
}

/** The values of all lines of /etc/resolv.conf that begin with a word. */
function lines(first: string): readonly (readonly string[])[] {
  return readFileSync("/etc/resolv.conf", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([word]) => word === first)
    .map(([, ...values]) => values);
}
