/** When nobody can answer: what the client is told (RFC 8914), what is asked again and when (RFC 9520), and what old answers are good for (RFC 8767). */
import { describe, expect, test } from "vitest";
import { rcodes, rcodeName } from "../../decide/dns/records.ts";
import { failure, reply, type Outcome } from "../plugin.ts";
import { extendedErrors, extendedErrorsOf } from "../wire/extended-error.ts";
import { createReply, type Message } from "../wire/message.ts";
import { parseRecord } from "../wire/parse-record.ts";
import { recordText } from "../wire/text.ts";
import { rig, type Backend } from "./plugin-rig.cases.ts";

const record = (line: string) => {
  const parsed = parseRecord(line);
  if (parsed.kind === "error") throw new Error(parsed.reason);
  return parsed.record;
};

const told = (message: Message | undefined) => ({
  rcode: rcodeName(message?.rcode ?? 0),
  answers: (message?.answers ?? []).map(recordText),
  reasons: message === undefined ? [] : extendedErrorsOf(message).map(({ code }) => code),
});

const good = "a.org. 60 IN A 10.0.0.1";
const unreachable = failure(rcodes.SERVFAIL, new Error("nobody there"), { code: extendedErrors.NO_REACHABLE_AUTHORITY });

/** A server whose next answers are those that are put here. */
function scripted() {
  const says = { now: unreachable as Outcome | readonly string[] | number };
  const backend: Backend = ({ message }) => {
    const { now } = says;
    if (typeof now === "number")
      return reply("backend", createReply(message, { rcode: now, authorities: [record("org. 60 IN SOA ns. a. 1 2 3 4 60")] }));
    return "kind" in now ? now : reply("backend", createReply(message, { answers: now.map(record) }));
  };
  return { says, backend };
}

describe("every failing answer says why", () => {
  test.each([
    ["a server that is not there", "forward . 127.0.0.1:9 {\nread_timeout 50ms\nmax_fails 0\n}", "SERVFAIL"],
    ["no server at all", "forward . /nowhere/resolv.conf", "SERVFAIL"],
    ["an access list that blocks", "acl {\nblock\n}", "REFUSED"],
    ["an access list that filters", "acl {\nfilter\n}", "NOERROR"],
    ["a zone that has not been fetched", "secondary . {\ntransfer from 127.0.0.1:9\n}", "SERVFAIL"],
    ["an etcd that is not there", "etcd . {\nendpoint http://127.0.0.1:9\n}", "SERVFAIL"],
    ["a service that speaks gRPC and is not there", "grpc . 127.0.0.1:9", "SERVFAIL"],
    ["nobody who knows", "", "SERVFAIL"],
  ])("%s", { timeout: 60_000 }, async (_, block, rcode) => {
    const { ask, stop } = await rig(block, undefined, true);
    const answer = told(await ask("a.org."));
    expect(answer.rcode).toBe(rcode);
    expect(answer.reasons.length).toBeGreaterThan(0);
    await stop();
  });

  test("a name outside of all zones", async () => {
    const { ask } = await rig("", undefined, false, "example.org:53");
    expect(told(await ask("a.org."))).toMatchObject({ rcode: "REFUSED", reasons: [extendedErrors.NOT_AUTHORITATIVE] });
  });

  test("a fault of a plugin", async () => {
    const { ask } = await rig("", () => {
      throw new Error("fault");
    });
    expect(told(await ask("a.org."))).toMatchObject({ rcode: "SERVFAIL", reasons: [extendedErrors.OTHER] });
  });
});

describe("failures are remembered (RFC 9520 3.2)", () => {
  test("for at least a second, and nobody is asked again in that time; then they are", async () => {
    const { says, backend } = scripted();
    const { ask, clock, asked } = await rig("cache", backend);
    expect(told(await ask("a.org.")).reasons).toEqual([extendedErrors.NO_REACHABLE_AUTHORITY]);
    clock.advance(1000);
    expect(told(await ask("a.org."))).toEqual({ rcode: "SERVFAIL", answers: [], reasons: [extendedErrors.CACHED_ERROR] });
    expect(asked()).toBe(1);
    says.now = [good];
    clock.advance(5000);
    expect(told(await ask("a.org.")).answers).toEqual([good]);
  });

  test("for five minutes at most", async () => {
    await expect(rig("cache {\nservfail 6m\n}")).rejects.toThrow("over 5 minutes");
  });
});

describe("old answers (RFC 8767)", () => {
  test("stand in for a server that is gone, with a time of their own and a reason, and not for ever", async () => {
    const { says, backend } = scripted();
    const { ask, clock } = await rig("cache {\nserve_stale 1h verify 0 30s\n}", backend);
    says.now = [good];
    await ask("a.org.");
    says.now = unreachable;
    clock.advance(61_000);
    expect(told(await ask("a.org."))).toEqual({
      rcode: "NOERROR",
      answers: ["a.org. 30 IN A 10.0.0.1"],
      reasons: [extendedErrors.STALE_ANSWER],
    });
    clock.advance(3_600_000);
    expect(told(await ask("a.org."))).toMatchObject({ rcode: "SERVFAIL", answers: [] });
  });

  test("that a name is not there too", async () => {
    const { says, backend } = scripted();
    const { ask, clock } = await rig("cache {\nserve_stale 1h verify 0 30s\n}", backend);
    says.now = rcodes.NXDOMAIN;
    await ask("a.org.");
    says.now = unreachable;
    clock.advance(61_000);
    expect(told(await ask("a.org."))).toMatchObject({ rcode: "NXDOMAIN", reasons: [extendedErrors.STALE_NXDOMAIN] });
  });

  test("a failure never hides a good answer, neither one that holds nor an old one", async () => {
    const { says, backend } = scripted();
    const { ask, clock } = await rig("cache {\nserve_stale 1h verify 0 30s\n}", backend);
    says.now = [good];
    await ask("a.org.");
    clock.advance(61_000);
    // The upstream answers, and what it says is SERVFAIL: kept for five seconds, beside the good answer.
    says.now = rcodes.SERVFAIL;
    for (let i = 0; i < 3; i++) {
      expect(told(await ask("a.org.")).answers).toEqual(["a.org. 30 IN A 10.0.0.1"]);
      clock.advance(1000);
    }
    says.now = [good];
    clock.advance(10_000);
    expect(told(await ask("a.org."))).toEqual({ rcode: "NOERROR", answers: [good], reasons: [] });
  });
});
