/** The suites of `plugin/rewrite` that ask a query; those of rules alone are asked in `plugins/cases.test.ts`. */
import { expect } from "vitest";
import { rcodes, typeCode, type ResourceRecord } from "../../decide/dns/records.ts";
import { parseIp } from "../../lib/ip.ts";
import { failure, reply, type DnsRequest } from "../plugin.ts";
import { backTo } from "../plugins/rewrite/response.ts";
import { rig } from "../plugins/plugin-rig.cases.ts";
import { createReply, type Edns, type EdnsOption, type Message } from "../wire/message.ts";
import { dataText } from "../wire/text.ts";
import { questionOf, record, rowsOf, saying, sides, type Suite, type Unasked } from "./rows.cases.ts";

interface Asked {
  readonly seen: DnsRequest | undefined;
  readonly message: Message | undefined;
}

/** A block of rules in front of a plugin that says the query back, with these records. */
async function asked(
  rules: readonly string[],
  query: { readonly name: string; readonly type?: string; readonly class?: string; readonly edns?: Message["edns"] },
  parts: { readonly answers?: readonly ResourceRecord[]; readonly additionals?: readonly ResourceRecord[] } = {},
  address = "10.240.0.1",
): Promise<Asked> {
  let seen: DnsRequest | undefined;
  const block = [...rules.map((rule) => `rewrite ${rule}`), "chaos"].join("\n");
  const { ask } = await rig(block, (request) => {
    seen = request;
    const { question, message } = request;
    const own = { name: question.name, type: 1, class: 1, ttl: 5, data: { kind: "address", address: "10.0.0.1" } } as const;
    return reply(
      "backend",
      createReply(message, { answers: [own], ...parts, ...(message.edns === undefined ? {} : { edns: message.edns }) }),
    );
  });
  const { name, type = "A", edns } = query;
  const options = { questions: questionOf(name, type, query.class), ...(edns === undefined ? {} : { edns }) };
  const client = { address, port: 40_212, local: { address: "127.0.0.1", port: 53 } };
  return { message: await ask(name, type, options, client), seen };
}

interface Turn {
  readonly from: string;
  readonly fromT: string;
  readonly fromC: string;
  readonly to: string;
  readonly toT: string;
  readonly toC: string;
}

const commonRules = [
  "stop name prefix prefix to",
  "stop name suffix .suffix. .nl.",
  "stop name substring from.substring to",
  "stop name regex (f.*m)\\.regex\\.(nl) to.{2}",
];

/** The rules of upstream's `TestRewrite`. */
const rules = [
  "stop name from.nl. to.nl.",
  "stop name regex (core)\\.(dns)\\.(rocks)\\.(nl) {2}.{1}.{3}.{4} answer name (dns)\\.(core)\\.(rocks)\\.(nl) {2}.{1}.{3}.{4}",
  "stop name exact from.exact.nl. to.nl.",
  ...commonRules,
  "continue name regex consul\\.(rocks) core.dns.{1}",
  "stop name core.dns.rocks to.nl.",
  "continue class HS CH",
  "stop class CH IN",
  "stop type ANY HINFO",
];

const turned: Suite<Turn> = async (row) => {
  const { seen } = await asked(rules, { name: row.from, type: row.fromT, class: row.fromC });
  expect(seen?.question).toEqual(questionOf(row.to, row.toT, row.toC)[0]);
};

const turnedBack: Suite<Turn> = async (row) => {
  const { message } = await asked(commonRules, { name: row.from, type: row.fromT, class: row.fromC });
  expect(message?.questions[0]?.name).toBe(row.from);
  expect(message?.answers[0]?.name).toBe(row.to);
};

interface Reverted {
  readonly from: string;
  readonly fromType: string;
  readonly to: string;
  readonly toType: string;
  readonly noRevert: boolean;
  readonly answer: readonly string[];
}

const absolute = (name: string): string => (name.endsWith(".") ? name : `${name}.`);

async function reverted(row: Reverted, chain: readonly string[], extra: readonly string[] = []): Promise<Message | undefined> {
  const parts = { answers: row.answer.map(record), additionals: extra.map(record) };
  const { seen, message } = await asked(chain, { name: absolute(row.from), type: row.fromType }, parts);
  // Without reverting is how upstream's test looks at what the next plugin was asked.
  const question = row.noRevert ? seen?.question : message?.questions[0];
  expect([question?.name, question?.type], chain.join("; ")).toEqual([absolute(row.to), typeCode(row.toType)]);
  return message;
}

const names: Suite<Reverted> = async (row) => {
  for (const next of ["stop", "continue"])
    await reverted(row, [`${next} name regex (core)\\.(dns)\\.(rocks) {2}.{1}.{3} answer name (dns)\\.(core)\\.(rocks) {2}.{1}.{3}`]);
};

const toCluster = "answer name (.*)\\.cluster\\.local {1}.domain.uk answer value (.*)\\.cluster\\.local {1}.domain.uk";
const valueRules = [
  [`stop name regex (.*)\\.domain\\.uk {1}.cluster.local ${toCluster}`],
  [`continue name regex (.*)\\.domain\\.uk {1}.cluster.local ${toCluster}`],
  ["stop name suffix .domain.uk .cluster.local answer auto answer value (.*)\\.cluster\\.local {1}.domain.uk"],
  ["continue name suffix .domain.uk .domain.us answer auto", "stop name suffix .domain.us .cluster.local answer auto"],
];

type Valued = Reverted & {
  readonly extra: readonly string[];
  readonly expectAnswerType: string;
  readonly expectValue: string;
  readonly expectAddlName: string;
};

const values: Suite<Valued> = async (row) => {
  for (const chain of valueRules) {
    const message = await reverted(row, chain, row.extra);
    if (row.noRevert) continue;
    const [answer] = message?.answers ?? [];
    expect(answer?.type).toBe(typeCode(row.expectAnswerType));
    expect(answer === undefined ? [] : dataText(answer.data).split(" "), chain.join("; ")).toContain(row.expectValue);
    expect(message?.additionals[0]?.name, chain.join("; ")).toBe(row.expectAddlName);
  }
};

interface Aliased {
  readonly from: string;
  readonly fromType: string;
  readonly answer: readonly string[];
  readonly expectedAnswer: readonly string[];
  readonly expectedTruncated: boolean;
}

const aliases: Suite<Aliased> = async (row, all) => {
  const ruleset = rowsOf<{ readonly args: readonly string[] }>(all, "rewrite TestCNameTargetRewrite ruleset").map(({ args }) =>
    args.join(" "),
  );
  const wanted = row.expectedAnswer.map(record);
  const { ask } = await rig(ruleset.map((rule) => `rewrite ${rule}`).join("\n"), ({ message, question }) => {
    const isFirst = question.name === absolute(row.from);
    const answers = isFirst ? row.answer.map(record) : wanted.filter(({ name, type }) => name === question.name && type === question.type);
    return reply("backend", createReply(message, { answers }));
  });
  const message = await ask(absolute(row.from), row.fromType);
  const [got, expected] = sides(message?.answers, row.expectedAnswer);
  expect(got).toEqual(expected);
  expect(message?.truncated).toBe(row.expectedTruncated);
};

const remapped: Suite<{ src: string; expected: string }> = ({ src, expected }) => {
  expect(backTo("example.com.", "example.org.")(src) ?? src).toBe(expected);
};

const failed: Suite<string> = async (code) => {
  for (const next of ["stop", "continue"]) {
    const { ask } = await rig(`rewrite ${next} rcode exact srv1.coredns.rocks ${code} NOERROR`, () =>
      failure(rcodes[code as keyof typeof rcodes]),
    );
    expect((await ask("srv1.coredns.rocks."))?.rcode, next).toBe(rcodes.NOERROR);
  }
};

interface GoOption {
  readonly Code: number | { readonly ref: string };
  readonly Data?: string | readonly number[];
  readonly Nsid?: string;
  readonly Family?: number;
  readonly SourceNetmask?: number;
  readonly SourceScope?: number;
  readonly Address?: readonly number[];
}

function bytesOf(option: GoOption): readonly number[] {
  const { Data: data, Family: family, SourceNetmask: bits = 0, SourceScope: scope = 0, Address: address = [] } = option;
  if (family !== undefined) return [0, family, bits, scope, ...address.slice(0, Math.ceil(bits / 8))];
  return typeof data === "string" ? [...Buffer.from(data)] : (data ?? [...Buffer.from(option.Nsid ?? "", "hex")]);
}

const optionOf = (option: GoOption): EdnsOption => ({
  code: typeof option.Code === "number" ? option.Code : 3,
  data: Uint8Array.from(bytesOf(option)),
});

const shown = (options: readonly EdnsOption[] = []) => options.map(({ code, data }) => `${code} ${Buffer.from(data).toString("hex")}`);
const shownOf = (options: readonly GoOption[] | null) => shown((options ?? []).map(optionOf));
const ednsOf = (options: readonly GoOption[] | null, dnssecOk = false): Message["edns"] =>
  options === null ? undefined : { version: 0, udpSize: 4096, dnssecOk, options: options.map(optionOf) };

interface Optioned {
  readonly args: readonly string[];
  readonly doBool?: boolean;
  readonly fromOpts: readonly GoOption[] | null;
  readonly toOpts: readonly GoOption[] | null;
}

/** What the next plugin sees. */
const options: Suite<Optioned> = async (row) => {
  if (row.args.some((arg) => arg.startsWith("{test/")))
    return { unasked: "a label of a plugin that only upstream's test has" } satisfies Unasked;
  // The tests of Go have an IPv6 client for the rows whose option is of that family.
  const isV6 = row.toOpts?.some(({ Family: family }) => family === 2) === true;
  const address = isV6 ? "fe80::42:ff:feca:4c65" : "10.240.0.1";
  expect(parseIp(address)).toBeDefined();
  const edns = ednsOf(row.fromOpts, row.doBool);
  const { seen } = await asked([`stop edns0 ${row.args.join(" ")}`], { name: "example.com.", edns }, {}, address);
  expect(shown(seen?.message.edns?.options)).toEqual(shownOf(row.toOpts));
  if (row.doBool !== undefined) expect(seen?.message.edns?.dnssecOk).toBe(row.doBool);
};

/** What the client gets back from a plugin that says the options back. */
const optionsBack: Suite<Optioned> = async (row) => {
  const edns = ednsOf(row.fromOpts, row.doBool);
  const { message } = await asked([`stop edns0 ${row.args.join(" ")}`], { name: "example.com.", edns });
  expect(shown(message?.edns?.options)).toEqual(shownOf(row.toOpts));
};

interface Ruled {
  readonly rules: readonly (readonly string[])[];
  readonly fromOpts: readonly GoOption[] | null;
  readonly toOpts: readonly GoOption[] | null;
  readonly revertPolicy: { readonly call: string };
}

const severalRules: Suite<Ruled> = async (row) => {
  const chain = row.rules.map(([next = "stop", ...args]) => `${next} edns0 ${args.join(" ")}`);
  const { seen, message } = await asked(chain, { name: "example.com.", edns: ednsOf(row.fromOpts) });
  const got = row.revertPolicy.call === "NoRevertPolicy" ? seen?.message : message;
  expect(shown(got?.edns?.options)).toEqual(shownOf(row.toOpts));
};

/** The next plugin answers without OPT: there is nothing to be reverted. */
const withoutOpt: Suite<{ args: string[] }> = async ({ args }) => {
  const { ask } = await rig(`rewrite ${args.join(" ")}`, saying({ answers: [record("example.com. 5 IN A 10.0.0.1")] }));
  const message = await ask("example.com.", "A", { edns: ednsOf([]) as Edns });
  expect(message?.answers.length).toBe(1);
  expect(message?.edns?.options ?? []).toEqual([]);
};

/** The rule of upstream's set that the shared part of it has not. */
const rangeRule = ["stop", "ttl", "range.example.com.", "30-300"];

const times: Suite<{ from: string; fromType: string; answer: string[]; ttl: number }> = async (row, all) => {
  const ruleset = rowsOf<{ readonly args: readonly string[] }>(all, "rewrite TestTtlRewrite ruleset").map(({ args }) => args);
  // Each of upstream's rules is for one name: the first that matches ends it.
  const { message } = await asked(
    [...ruleset, rangeRule].map((args) => args.join(" ")),
    { name: row.from, type: row.fromType },
    { answers: row.answer.map(record) },
  );
  expect(message?.answers.map(({ ttl }) => ttl)).toEqual(row.answer.map(() => row.ttl));
};

export const rewriteSuites = {
  "rewrite doTTLTests tests": times,
  "rewrite TestRewrite tests": turned,
  "rewrite TestRewriteDefaultRevertPolicy tests": turnedBack,
  "rewrite - tests": names,
  "rewrite - valueTests": values,
  "rewrite doTestCNameTargetTests tests": aliases,
  "rewrite TestRemapStringRewriter tests": remapped,
  "rewrite TestRCodeRewriteEmptyResponse range": failed,
  "rewrite TestRewriteEDNS0Local tests": options,
  "rewrite TestRewriteEDNS0LocalVariable tests": options,
  "rewrite TestRewriteEDNS0Subnet tests": options,
  "rewrite TestRewriteEDNS0Unset tests": options,
  "rewrite TestRewriteEDNS0Revert tests": optionsBack,
  "rewrite TestEdns0MultiRule tests": severalRules,
  "rewrite - edns0NoOPTRevertTests": withoutOpt,
};
