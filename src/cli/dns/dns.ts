/** `fairlead dns`: the DNS server by itself, with CoreDNS's flags, and what looks at Corefiles and answers. */
import { FairleadError } from "../../lib/errors.ts";
import type { Terminal } from "../terminal.ts";

export const dnsHelp = `Usage: fairlead dns [-conf FILE] [-dns.port PORT] [-pidfile FILE] [-quiet] [-plugins] [-version]
       fairlead dns check [FILE]
       fairlead dns plan [FILE]
       fairlead dns query NAME [TYPE] [--from pod/NAME] [-n NAMESPACE] [--explain] [--server ADDRESS[:PORT]]
       fairlead dns top [--clients N] [--names N] [--url http://localhost:6054/top] [-o text|json]
       fairlead dns node-cache -localip ADDRESS[,ADDRESS] [-conf FILE] [-check]

Serves DNS as a Corefile says, like coredns. Where the Corefile names kubernetes, the cluster is the one that the Corefile
gives, the one that this runs in, or that of $KUBECONFIG.

  -conf FILE       the Corefile (default: Corefile; stdin for standard input)
  -dns.port PORT   for keys without a port (default: 53)
  -pidfile FILE    write the process's number there
  -quiet           say less at the start
  -plugins         list the plugins
  -version         show the version

check        exit code 0 when the Corefile can be used, else what is wrong and where
plan         what listens where, and the chain of plugins of each zone
query        asks as a pod would, through its search path; --explain tells each plugin's decision
top          who asks for what, how much of it the search path wastes, and what ndots 1 or 2 would save and break
node-cache   NodeLocal DNSCache: listens at link-local addresses of this node, removed when it ends`;

const helpFlags = ["-h", "-help", "--help"];

/** Exit code. `words`: what follows `dns`. */
export async function dns(words: readonly string[], terminal: Terminal): Promise<number> {
  const [verb = "", ...rest] = words;
  if (verb === "help" || words.some((word) => helpFlags.includes(word))) {
    terminal.print(dnsHelp);
    return 0;
  }
  switch (verb) {
    case "check":
      return (await import("./check.ts")).check(rest, terminal);
    case "plan":
      return (await import("./check.ts")).plan(rest, terminal);
    case "query":
      return (await import("./query.ts")).query(rest, terminal);
    case "top":
      return (await import("./top.ts")).top(rest, terminal);
    case "node-cache":
      return (await import("./node-cache.ts")).nodeCache(rest, terminal);
    default:
      if (verb !== "" && !verb.startsWith("-")) {
        throw new FairleadError("FL_USAGE", `fairlead dns ${verb}: there is no such command`, { hint: "fairlead dns --help shows them." });
      }
      return (await import("./serve.ts")).serve(words, terminal);
  }
}
