import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairleadError } from "../lib/errors.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { silentLogger } from "../lib/log.ts";
import { FakeClock } from "../lib/clock.ts";
import { configure } from "./corefile/configure.ts";
import { fuzzPackets } from "./fuzz.cases.ts";
import { pluginList, unsupportedDirectives } from "./plugins.ts";
import { SharedHttpEndpoints } from "./server/http-endpoints.ts";
import { noWatch } from "./server/query-watch.ts";
import { parseZoneFile } from "./zone-file/parse-zone-file.ts";

describe("whatever a stranger sends", () => {
  test("200,000 mutated packets get a well-formed answer within the limits, or none", { timeout: 300_000 }, async () => {
    const { answered, silent, table } = await fuzzPackets(200_000, 20_261_121);
    expect(answered).toBeGreaterThan(100_000);
    expect(silent).toBeGreaterThan(1000);
    expect(table.size).toBeLessThanOrEqual(4096);
  });
});

const words = fc.constantFrom(
  ".",
  "example.org",
  "{",
  "}",
  "\n",
  "\n",
  "import",
  "(snip)",
  "forward",
  "cache",
  "rewrite",
  "template",
  "acl",
  "hosts",
  "view",
  "expr",
  "name()",
  '"',
  "#",
  "{$HOME}",
  "10.0.0.0/8",
  "tls://.",
  ":53",
  "kubernetes",
  "regex",
  "(.*)",
  "answer",
  "{{ .Name }}",
  "5",
  "-1",
  "30s",
  "prefetch",
  "serve_stale",
  "block",
  "net",
  "*",
  "any",
  "log",
  "file",
  "\\",
  "\u0000",
  "é",
);

describe("whatever stands in a file", () => {
  test("a Corefile is taken or refused with its line", () => {
    const environment = {
      clock: new FakeClock(),
      log: silentLogger,
      metrics: new MetricsRegistry(),
      random: () => 0.5,
      http: new SharedHttpEndpoints(),
      watch: noWatch,
      checkCorefile: () => undefined,
    };
    const sources = {
      env: {},
      glob: () => [],
      readFile: () => {
        throw new Error("no files here");
      },
    };
    const plugins = pluginList({ kubernetes: undefined });
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 8 })), { maxLength: 40 }), (list) => {
        try {
          configure({
            text: list.join(" "),
            file: "Corefile",
            plugins,
            unsupported: unsupportedDirectives,
            environment: { ...environment, sources },
            hosts: () => [],
          });
        } catch (error) {
          expect(error).toBeInstanceOf(FairleadError);
          expect((error as FairleadError).message).toMatch(/^(plugin\/\w+: )?Corefile:\d+ - Error during parsing: /);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("a zone file is read, or refused with its line", () => {
    const entry = fc.constantFrom(
      "@ IN SOA ns. admin. 1 2 3 4 5\n",
      "a IN A 10.0.0.1\n",
      "$ORIGIN b\n",
      "$TTL 1h\n",
      "$GENERATE 1-5 h$ A 10.0.0.$\n",
      " AAAA ::1\n",
      "( ",
      " )\n",
      'x TXT "a b" c\n',
      "; comment\n",
      "w HTTPS 1 . alpn=h2\n",
      "d DS 1 8 2 abcd\n",
      "n NSEC o A TXT\n",
      "\\065 CNAME .\n",
      "$INCLUDE x\n",
      '"',
      "\\# 2 00ff\n",
      "e TYPE999 \\# 1 00\n",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(entry, fc.string({ maxLength: 12 })), { maxLength: 30 }), (list) => {
        const parsed = parseZoneFile(list.join(""), { origin: "example.org.", file: "zone" });
        if (parsed.kind === "error") expect(parsed.reason).toMatch(/^zone:\d+: /);
      }),
      { numRuns: 3000 },
    );
  });
});
