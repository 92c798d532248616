/**
 * CoreDNS's own tables of what plugins do (shared with whoever works on the project; absent in a clone, then skipped). Rows that stand
 * for Go values rather than data are left out; what differs by intent is listed with its reason, and anything else fails.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { recordTypes, rcodeName } from "../../decide/dns/records.ts";
import { rcodes } from "../../decide/dns/records.ts";
import { failure, reply, type Outcome } from "../plugin.ts";
import { extendedErrorsOf } from "../wire/extended-error.ts";
import { createReply, type Message } from "../wire/message.ts";
import { parseRecord } from "../wire/parse-record.ts";
import { recordText } from "../wire/text.ts";
import { RuleError } from "./rewrite/match.ts";
import { readRule } from "./rewrite/rules.ts";
import { rig, type Backend } from "./plugin-rig.cases.ts";

type Row = Readonly<Record<string, unknown>>;

interface Table {
  readonly plugin: string;
  readonly file: string;
  readonly func: string | null;
  readonly table: string;
  readonly rows: readonly (Row | string)[];
}

interface ZoneUse {
  readonly file: string;
  readonly func: string;
  readonly zoneText: string;
  readonly origin: string;
  readonly usesTables: readonly string[];
}

interface File {
  readonly tables: readonly Table[];
  readonly zones: readonly ZoneUse[];
  readonly zoneTexts: Readonly<Record<string, string>>;
}

const path = join(import.meta.dirname, "../../../../shared/cases/coredns-plugin-cases.json");
const file = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as File) : undefined;
if (file === undefined) console.log("skipped: CoreDNS's cases are not beside this clone");

const rowsOf = (plugin: string, name: string): readonly Row[] =>
  (file?.tables ?? [])
    .filter((table) => table.plugin === plugin && (table.func === name || table.table === name))
    .flatMap(({ rows }) => rows)
    .filter((row): row is Row => typeof row === "object");

/** Sorted; a TTL of 303 is not compared, nor the serial of a SOA record. */
function lines(records: readonly string[]): readonly string[] {
  return records
    .map((line) => {
      const parsed = parseRecord(line);
      if (parsed.kind === "error") return `${line}: ${parsed.reason}`;
      return comparable(parsed.record);
    })
    .sort();
}

function comparable(record: Message["answers"][number]): string {
  const { data } = record;
  const shown = { ...record, ...(record.ttl === 303 ? { ttl: 0 } : {}), ...(data.kind === "soa" ? { data: { ...data, serial: 0 } } : {}) };
  const line = recordText(shown).toLowerCase();
  // As upstream: signatures are not compared, what they are for is.
  return record.type === recordTypes.RRSIG ? line.split(" ").slice(0, -1).join(" ") : line;
}

const sections = (message: Message | undefined) => ({
  rcode: rcodeName(message?.rcode ?? -1),
  answer: (message?.answers ?? []).map(comparable).sort(),
  ns: (message?.authorities ?? []).map(comparable).sort(),
  extra: (message?.additionals ?? []).map(comparable).sort(),
});

const folder = mkdtempSync(join(tmpdir(), "fairlead-cases-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Tables that are not asked of the whole plugin, and why. */
const left: Readonly<Record<string, string>> = {
  fallsWithTestCases: "its rows hold other tables; fallthrough is asked below",
  noDataTestCases: "asks the zone's lookup past the plugin: sections are not those of an answer",
};

describe.skipIf(file === undefined)("CoreDNS's tables", () => {
  const zones = (file?.zones ?? []).flatMap((use) =>
    use.usesTables.filter((name) => left[name] === undefined).map((name) => [`${use.zoneText} ${name}`, use, name] as const),
  );

  test.each(zones)("file: %s", async (_, use, name) => {
    const text = file?.zoneTexts[`file:${use.zoneText}`];
    const table = (file?.tables ?? []).find(
      (one) => one.table === name && one.rows.some((row) => typeof row === "object" && "qname" in row),
    );
    if (text === undefined || table === undefined) return;
    // The file's origin is not always that of the zone: one is read there for names that all say theirs.
    const origin = use.origin.endsWith(".") && text.includes(use.origin) ? use.origin : originOf(text);
    writeFileSync(join(folder, "zone"), text);
    const { ask, stop } = await rig(`file ${join(folder, "zone")} ${origin}`, () => failure(rcodes.SERVFAIL));
    for (const row of table.rows as readonly Row[]) {
      if (row["qname"] === undefined || row["ns"] === undefined || isReference(row["ns"]) || isReference(row["extra"])) continue;
      const dnssecOk =
        row["do"] === true || (row["answer"] as string[]).concat(row["ns"] as string[]).some((line) => /\s(RRSIG|NSEC)\s/.test(line));
      const edns = { version: 0, udpSize: 4096, dnssecOk, options: [] };
      const message = await ask(String(row["qname"]), String(row["qtype"]), dnssecOk ? { edns } : {});
      const wanted = {
        rcode: row["rcode"],
        answer: lines(row["answer"] as string[]),
        ns: lines(row["ns"] as string[]),
        extra: lines(row["extra"] as string[]),
      };
      expect(sections(message), `${String(row["qname"])} ${String(row["qtype"])}`).toEqual(wanted);
    }
    await stop();
  });

  test("acl", async () => {
    for (const row of rowsOf("acl", "TestACLServeDNS")) {
      const zoneKeys = (row["zones"] as string[]).join(" ") || ".";
      const args = row["args"] as { readonly domain: string; readonly qtype: string; readonly sourceIP: string };
      const { ask } = await rig(String(row["config"]), ({ message }) => reply("backend", createReply(message, {})), false, zoneKeys);
      const edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [] };
      const message = await ask(args.domain, args.qtype, { edns }, { address: args.sourceIP });
      if (row["expectNoResponse"] === true) {
        expect(message, String(row["name"])).toBeUndefined();
        continue;
      }
      expect(rcodeName(message?.rcode ?? -1), String(row["name"])).toBe(row["wantRcode"]);
      const reason = row["wantExtendedErrorCode"] as { readonly ref: string } | undefined;
      const code = reason === undefined ? undefined : reason.ref.endsWith("Blocked") ? 15 : 17;
      expect(message === undefined ? undefined : extendedErrorsOf(message)[0]?.code, String(row["name"])).toBe(code);
    }
  });

  test.each(["TestExpr", "TestVar"])("template: %s", async (func) => {
    const fellThrough = 3841;
    for (const row of rowsOf("template", func)) {
      let passed = false;
      const metadata = row["md"] as Readonly<Record<string, string>> | undefined;
      const { ask } = await rig(String(row["config"]), () => {
        passed = true;
        return failure(rcodes.REFUSED);
      });
      if (metadata !== undefined) continue; // the labels of a plugin that only the test has
      const message = await ask(String(row["qname"]), String(row["qtype"] ?? "A"), {}, { address: "10.240.0.1" });
      const name = String(row["name"]);
      if (row["expectedCode"] === fellThrough) expect(passed, name).toBe(true);
      else if (row["expectedCode"] !== undefined) expect(rcodeName(message?.rcode ?? -1), name).toBe(row["expectedCode"]);
      if (row["expectedAnswer"] !== undefined) expect(sections(message).answer, name).toEqual(lines(row["expectedAnswer"] as string[]));
      if (row["expectedExtra"] !== undefined) expect(sections(message).extra, name).toEqual(lines(row["expectedExtra"] as string[]));
      if (row["expectedNs"] !== undefined) expect(sections(message).ns, name).toEqual(lines(row["expectedNs"] as string[]));
    }
  });

  test("local", async () => {
    const { ask } = await rig("local");
    const rows = rowsOf("local", "testcases");
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) {
      const message = await ask(String(row["question"]), String(row["qtype"]));
      const owner = (record: Message["answers"][number]) =>
        recordText({ ...record, ttl: 0 })
          .split(" ")
          .slice(0, 5)
          .join(" ")
          .toLowerCase();
      const wanted = (value: unknown) =>
        value === null
          ? []
          : lines([String(value)]).map((line) =>
              line
                .replace(/ \d+ in /, " 0 in ")
                .split(" ")
                .slice(0, 5)
                .join(" "),
            );
      expect(rcodeName(message?.rcode ?? -1)).toBe(row["rcode"]);
      expect((message?.answers ?? []).map(owner), String(row["question"])).toEqual(wanted(row["answer"]));
      // Which of the SOA's names comes first is not asked: upstream compares the owner.
      expect((message?.authorities ?? []).map((record) => record.name.toLowerCase())).toEqual(
        row["ns"] === null ? [] : [String(row["ns"]).split(" ")[0]],
      );
    }
  });

  test("rewrite: rules are taken or refused", () => {
    const outcome = (words: readonly string[]) => {
      try {
        readRule(words);
        return "ok";
      } catch (error) {
        return error instanceof RuleError ? "refused" : String(error);
      }
    };
    for (const row of rowsOf("rewrite", "TestNewRule"))
      expect(outcome(row["args"] as string[]), JSON.stringify(row["args"])).toBe(row["shouldError"] === true ? "refused" : "ok");
    for (const [func, kind] of [
      ["TestNewNameRule", "name"],
      ["TestNewTTLRule", "ttl"],
      ["TestNewRCodeRule", "rcode"],
    ] as const) {
      for (const row of rowsOf("rewrite", func)) {
        const words = [String(row["next"]), kind, ...(row["args"] as string[])];
        expect(outcome(words), words.join(" ")).toBe(row["expectedFail"] === true ? "refused" : "ok");
      }
    }
  });

  test.each([
    "TestRewriteNamePrefixSuffix",
    "TestRewriteNameNoRewrite",
    "TestRewriteNamePrefixSuffixNoAutoAnswer",
    "TestRewriteNamePrefixSuffixAutoAnswer",
    "TestRewriteNameExactAnswer",
    "TestRewriteNameRegexAnswer",
  ])("rewrite: %s", async (func) => {
    for (const row of rowsOf("rewrite", func)) {
      let seen = "";
      const echo: Backend = ({ message, question, name }): Outcome => {
        seen = name;
        return reply(
          "backend",
          createReply(message, {
            answers: [{ name: question.name, type: recordTypes.A, class: 1, ttl: 5, data: { kind: "address", address: "10.0.0.1" } }],
          }),
        );
      };
      const { ask } = await rig(`rewrite ${String(row["next"])} name ${(row["args"] as string[]).join(" ")}`, echo);
      const message = await ask(String(row["question"]));
      if (row["rewrite"] !== undefined) expect(seen).toBe(row["rewrite"]);
      expect(message?.answers[0]?.name, JSON.stringify(row)).toBe(row["expected"]);
      expect(message?.questions[0]?.name).toBe(row["question"]);
    }
  });

  test("rewrite: times", async () => {
    const rules = rowsOf("rewrite", "ruleset").filter(({ args }) => (args as string[])[1] === "ttl");
    const block = rules.map(({ args }) => `rewrite ${(args as string[]).join(" ").replace(/^stop/, "continue")}`).join("\n");
    const names = rules.map(({ args }) => (args as string[]).at(-2)?.replace(/[\\()]/g, "") ?? "");
    for (const row of rowsOf("rewrite", "doTTLTests")) {
      // The rule of some rows is in the part of the tables that is not here.
      if (!names.some((name) => String(row["from"]).includes(name))) continue;
      const answer = (row["answer"] as string[]).map(record);
      const { ask } = await rig(block, ({ message }) => reply("backend", createReply(message, { answers: answer })));
      const message = await ask(String(row["from"]), String(row["fromType"]));
      expect(message?.answers[0]?.ttl, String(row["from"])).toBe(row["ttl"]);
    }
  });

  test("dns64", async () => {
    for (const row of rowsOf("dns64", "TestDNS64")) {
      const messages = row as unknown as Readonly<
        Record<
          "initResp" | "aResp" | "resp",
          | {
              readonly Answer?: string[];
              readonly Ns?: string[];
              readonly Extra?: string[];
              readonly MsgHdr: { readonly Rcode?: string; readonly Truncated?: boolean };
            }
          | undefined
        >
      >;
      const parts = (from: (typeof messages)["resp"]) => ({
        rcode: rcodes[(from?.MsgHdr.Rcode ?? "NOERROR") as keyof typeof rcodes],
        truncated: from?.MsgHdr.Truncated === true,
        answers: (from?.Answer ?? []).map(record),
        authorities: (from?.Ns ?? []).map(record),
        additionals: (from?.Extra ?? []).map(record),
      });
      const { ask } = await rig("dns64", ({ message, question }) =>
        reply("backend", createReply(message, parts(question.type === recordTypes.A ? messages.aResp : messages.initResp))),
      );
      const message = await ask("example.com.", "AAAA", {}, { address: "::1" });
      expect(sections(message).answer, String(row["name"])).toEqual(lines(messages.resp?.Answer ?? []));
      expect(message?.truncated, String(row["name"])).toBe(messages.resp?.MsgHdr.Truncated === true);
    }
  });
});

const isReference = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

function originOf(text: string): string {
  return /^\$ORIGIN\s+(\S+)/m.exec(text)?.[1] ?? /^(\S+\.)\s/m.exec(text)?.[1] ?? ".";
}

function record(line: string) {
  const parsed = parseRecord(line);
  if (parsed.kind === "error") throw new Error(`${line}: ${parsed.reason}`);
  return parsed.record;
}
