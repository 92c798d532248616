/** The suites of `plugin/cache`. */
import { expect } from "vitest";
import { rcodeName, rcodes, recordTypes, typeCode } from "../../decide/dns/records.ts";
import { failure, reply, type Outcome } from "../plugin.ts";
import { answersQuestion } from "../plugins/cache/classify.ts";
import { rig, type Backend } from "../plugins/plugin-rig.cases.ts";
import { createReply, type Message } from "../wire/message.ts";
import { flagsOf, milliseconds, questionOf, record, saying, sides, type Case, type Suite, type Unasked } from "./rows.cases.ts";

const soa = (ttl: number) => record(`cached.org. ${ttl} IN SOA ns.org. admin.org. 1 7200 3600 1209600 ${ttl}`);

/** CoreDNS's `ttlBackend` and `nxDomainBackend`. */
const withTtl = (ttl: number, rcode = "NOERROR"): Backend =>
  rcode === "NOERROR"
    ? ({ message, question }) => reply("backend", createReply(message, { answers: [record(`${question.name} ${ttl} IN A 127.0.0.53`)] }))
    : saying({ rcode: rcodes[rcode as keyof typeof rcodes], authorities: rcode === "NXDOMAIN" ? [soa(ttl)] : [] });

const ttlOf = (message: Message | undefined): number | undefined => (message?.answers[0] ?? message?.authorities[0])?.ttl;

/** Ends what was begun in the background. */
const settled = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** The signatures of the rows hold on this day. */
const signedOn = Date.UTC(2017, 3, 21, 9, 51, 21);

const free = (line: string) => line.replace(/^(\S+)\s+\d+/, "$1 303");

const insertion: Suite<{ in: Case; out?: Case; shouldCache: boolean; name: string }> = async (row) => {
  const { in: given } = row;
  const answer = {
    rcode: rcodes[given.rcode as keyof typeof rcodes],
    answers: given.answer.map(record),
    authorities: given.ns.map(record),
    truncated: given.more?.["Truncated"] === true,
  };
  const block =
    "cache {\nsuccess 9984 3600\ndenial 9984 3600\ndisable success pos-disabled.example.org\ndisable denial neg-disabled.example.org\n}";
  const { ask, asked, clock } = await rig(block, saying(answer));
  clock.advance(signedOn - clock.now());
  await ask(given.qname, given.qtype, flagsOf(given));
  const again = await ask(given.qname, given.qtype, flagsOf(given));
  expect(asked() === 1).toBe(row.shouldCache);
  if (row.out === undefined) return;
  expect(rcodeName(again?.rcode ?? -1)).toBe(row.out.rcode);
  // Upstream's table keeps all of them for the cap, whatever their TTLs: where those differ they are not compared.
  const differ = new Set(given.answer.map((line) => record(line).ttl)).size > 1;
  const answers = differ ? row.out.answer.map(free) : row.out.answer;
  const [got, wanted] = sides(again?.answers, answers);
  expect(got).toEqual(wanted);
  const [gotNs, wantedNs] = sides(again?.authorities, row.out.ns);
  expect(gotNs).toEqual(wantedNs);
};

const stale: Suite<{ name: string; futureMinutes: number; expectedResult: number }> = async (row) => {
  let works = true;
  const { ask, clock } = await rig("cache {\nserve_stale 1h\n}", (request) => (works ? withTtl(60)(request) : failure(rcodes.SERVFAIL)));
  await ask("cached.org.");
  works = false;
  clock.advance(row.futureMinutes * 60_000);
  const message = await ask(row.name);
  // 255: upstream was asked, which has nothing.
  expect(message?.answers.length === 1 ? 0 : 255).toBe(row.expectedResult);
};

const staleTtl: Suite<{ config: string; advance: string; expectedTTL: number; primeRcode: string }> = async (row) => {
  let works = true;
  const { ask, clock } = await rig(`cache {\n${row.config}\n}`, (request) =>
    works ? withTtl(60, row.primeRcode)(request) : failure(rcodes.SERVFAIL),
  );
  await ask("cached.org.");
  works = false;
  clock.advance(milliseconds(row.advance));
  const message = await ask("cached.org.");
  expect(rcodeName(message?.rcode ?? -1)).toBe(row.primeRcode);
  expect(ttlOf(message)).toBe(row.expectedTTL);
};

const verified: Suite<{
  name: string;
  futureMinutes: number;
  upstreamRCode: string;
  upstreamTtl: number;
  expectedRCode: string;
  expectedTtl: number;
}> = async (row) => {
  let now = withTtl(120);
  const { ask, clock } = await rig("cache {\nserve_stale 1h verify\n}", (request) => now(request));
  await ask("cached.org.");
  now = withTtl(row.upstreamTtl, row.upstreamRCode);
  clock.advance(row.futureMinutes * 60_000);
  const message = await ask(row.name);
  expect(rcodeName(message?.rcode ?? -1)).toBe(row.expectedRCode);
  expect(ttlOf(message)).toBe(row.expectedTtl);
};

const computed: Suite<{ msgTTL: string; minTTL: string; maxTTL: string; expectedTTL: string }> = async (row) => {
  const seconds = (text: string) => milliseconds(text) / 1000;
  const block = `cache {\nsuccess 100 ${seconds(row.maxTTL)} ${seconds(row.minTTL)}\n}`;
  const { ask } = await rig(block, withTtl(seconds(row.msgTTL)));
  expect(ttlOf(await ask("cached.org."))).toBe(seconds(row.expectedTTL));
};

const keptTtl: Suite<{ name: string; futureSeconds: number }> = async (row) => {
  const { ask, clock } = await rig("cache {\nkeepttl\n}", withTtl(60));
  await ask("cached.org.");
  clock.advance(row.futureSeconds * 1000);
  expect(ttlOf(await ask(row.name))).toBe(60);
};

const separation: Suite<{ initial: Case; query: Case; expectCached?: boolean }> = async ({ initial, query, expectCached }) => {
  const { ask, asked } = await rig("cache", withTtl(3600));
  await ask(initial.qname, initial.qtype, flagsOf(initial));
  await ask(query.qname, query.qtype, { ...flagsOf(query), authoritative: query.more?.["Authoritative"] === true });
  expect(asked()).toBe(expectCached === true ? 1 : 2);
};

const eligible: Suite<{ answer: string[]; qtype: string; want: boolean }> = ({ answer, qtype, want }) => {
  expect(answersQuestion(answer.map(record), { name: "cached.org.", type: typeCode(qtype) ?? 0, class: 1 })).toBe(want);
};

interface Verification {
  readonly after: string;
  readonly answer: string;
  readonly fetch?: boolean;
  readonly do?: boolean;
  readonly cd?: boolean;
}

const prefetched: Suite<{ prefetch: number; qname: string; ttl: number; verifications: Verification[] }> = async (row) => {
  let address = 0;
  const { ask, clock, asked } = await rig(`cache {\n${row.prefetch > 0 ? `prefetch ${row.prefetch}` : ""}\n}`, ({ message }) =>
    reply("backend", createReply(message, { answers: [record(`${row.qname} ${row.ttl} IN A 127.0.0.${++address}`)] })),
  );
  let at = 0;
  for (const one of row.verifications) {
    clock.advance(milliseconds(one.after) - at);
    at = milliseconds(one.after);
    const before = asked();
    const edns = { version: 0, udpSize: 512, dnssecOk: one.do === true, options: [] };
    const message = await ask(row.qname, "A", { edns, checkingDisabled: one.cd === true });
    await settled();
    expect(asked() > before, `${one.after}: asked`).toBe(one.fetch === true);
    const [got, wanted] = sides(message?.answers, [one.answer]);
    expect(got, one.after).toEqual(wanted);
  }
};

const deduplicated: Suite<{ hitAt: string; staleUpTo?: string; prefetch?: number; percentage?: number }> = async (row) => {
  const options = [
    ...(row.staleUpTo === undefined ? [] : [`serve_stale ${row.staleUpTo}`]),
    ...(row.prefetch === undefined ? [] : [`prefetch ${row.prefetch} 1m ${row.percentage ?? 10}%`]),
  ];
  let release = () => undefined as void;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let first = true;
  const { ask, clock, asked } = await rig(`cache {\n${options.join("\n")}\n}`, (request) => {
    if (!first) return gate.then(() => withTtl(100)(request));
    first = false;
    return withTtl(100)(request);
  });
  await ask("dedup.example.org.");
  clock.advance(milliseconds(row.hitAt));
  await Promise.all(Array.from({ length: 200 }, () => ask("dedup.example.org.")));
  release();
  await settled();
  expect(asked()).toBe(2);
};

const classesApart: Suite<string> = async (zoneClass) => {
  const other = zoneClass === "INET" ? "CHAOS" : "INET";
  const { ask, asked } = await rig("cache\nchaos", withTtl(60));
  for (const one of [other, zoneClass]) await ask("a.org.", "A", { questions: questionOf("a.org.", "A", one) });
  expect(asked()).toBe(2);
};

const signed = [
  "invent.example.org. 1781 IN CNAME leptone.example.org.",
  "invent.example.org. 1781 IN RRSIG CNAME 8 3 1800 20301012085750 20200912082613 57411 example.org. ijSv5FmsNjFviBcOFwQgqjt073lttxTTNqkno6oMa3DD3kC+",
  "leptone.example.org. 1781 IN A 195.201.182.103",
  "leptone.example.org. 1781 IN RRSIG A 8 3 1800 20301012093630 20200912083827 57411 example.org. eLuSOkLAzm/WIOpaZD3/4TfvKP1HAFzjkis9LIJSRVpQt307dm9WY9",
];

/** Clients that want signatures and such that do not, in turn: neither gets what was kept for the other. */
const withSignatures: Suite<Case> = async (row) => {
  const { ask } = await rig("cache", ({ message }) => {
    const answers = signed.map(record).filter(({ type }) => message.edns?.dnssecOk === true || type !== recordTypes.RRSIG);
    return reply("backend", createReply(message, { answers, authenticData: true }));
  });
  await ask(row.qname, row.qtype, flagsOf({ do: row.do !== true }));
  const message = await ask(row.qname, row.qtype, flagsOf(row));
  expect(message?.answers.map(({ type }) => type)).toEqual(row.answer.map((line) => record(line).type));
  expect(message?.authenticData).toBe(row.authenticateddata === true);
};

const recheck: Suite<{ name: string; expectedRcode: string; prime: { call: string; args: number[] } }> = async (row) => {
  if (row.prime.call === undefined) return { unasked: "what is kept first is a function of Go" } satisfies Unasked;
  let now: Backend = withTtl(row.prime.args[0] ?? 1, row.prime.call === "ttlBackend" ? "NOERROR" : "NXDOMAIN");
  const options = "success 100 3600 0\ndenial 100 3600 0\nserve_stale 1h immediate 30s 30s";
  const { ask, clock, asked } = await rig(`cache {\n${options}\n}`, (request) => now(request));
  await ask("cached.org.");
  now = withTtl(30, "SERVFAIL");
  for (const [advance, times] of [
    [2000, 2],
    [0, 2],
    [31_000, 3],
  ] as const) {
    clock.advance(advance);
    const message = await ask("cached.org.");
    await settled();
    expect(rcodeName(message?.rcode ?? -1)).toBe(row.expectedRcode);
    expect(asked()).toBe(times);
  }
};

const invalid: Readonly<Record<string, (message: Message) => Outcome>> = {
  truncated: (message) => reply("backend", createReply(message, { truncated: true, answers: [record("cached.org. 60 IN A 192.0.2.20")] })),
  "mismatched question": (message) =>
    reply(
      "backend",
      createReply(message, { questions: questionOf("other.org.", "A"), answers: [record("other.org. 60 IN A 192.0.2.20")] }),
    ),
};

const rejected: Suite<{ name: string }> = async ({ name }) => {
  for (const [what, answer] of Object.entries(invalid)) {
    let now = withTtl(1);
    const options = `success 100 3600 0\nserve_stale 1h ${name === "verify" ? "verify 0" : "immediate"} 30s 30s`;
    const { ask, clock, asked } = await rig(`cache {\n${options}\n}`, (request) => now(request));
    await ask("cached.org.");
    now = ({ message }) => answer(message);
    clock.advance(2000);
    for (let i = 0; i < 2; i++) {
      const message = await ask("cached.org.");
      await settled();
      expect(sides(message?.answers, ["cached.org. 303 IN A 127.0.0.53"]).map(String), what).toEqual(
        Array.from({ length: 2 }, () => "cached.org. 303 in a 127.0.0.53"),
      );
      expect(asked(), what).toBe(2);
    }
  }
};

export const cacheSuites = {
  "cache TestCacheInsertion cacheTestCases": insertion,
  "cache TestServeFromStaleCache tests": stale,
  "cache TestServeFromStaleCacheResponseTTL tests": staleTtl,
  "cache TestServeFromStaleCacheFetchVerify tests": verified,
  "cache TestComputeTTL tests": computed,
  "cache TestCacheKeepTTL tests": keptTtl,
  "cache TestCacheSeparation testCases": separation,
  "cache TestAnswersQuestionStrictEligibility tests": eligible,
  "cache TestPrefetch tests": prefetched,
  "cache TestPrefetchDedup range": deduplicated,
  "cache TestCacheSeparatesQuestionClasses want": classesApart,
  "cache TestResponseWithDNSSEC tcs": withSignatures,
  "cache TestResponseWithDNSSEC range": withSignatures,
  "cache TestServeStaleFailureRecheckImmediate tests": recheck,
  "cache TestServeStaleFailureRecheckRejectsInvalidRefresh modes": rejected,
};
