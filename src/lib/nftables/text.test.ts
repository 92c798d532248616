import { expect, test } from "vitest";
import { evaluate } from "./evaluate.ts";
import { Ruleset } from "./model.ts";
import type { Operation, Statement } from "./ruleset.ts";
import { elementText, ruleText } from "./text.ts";

const printed: readonly (readonly [statement: Statement, text: string, inTableIp6?: string])[] = [
  [{ kind: "match", field: "ip saddr", operator: "==", value: "10.0.0.7/32" }, "ip saddr 10.0.0.7"],
  [{ kind: "match", field: "ip6 saddr", operator: "!=", value: "2001:db8::/32" }, "ip6 saddr != 2001:db8::/32"],
  [{ kind: "match", field: "ip6 saddr", operator: "==", value: "2001:db8::1/128" }, "ip6 saddr 2001:db8::1"],
  [{ kind: "inRange", field: "tcp dport", from: 80, to: 90 }, "tcp dport 80-90"],
  [{ kind: "established" }, "ct state established,related"],
  [{ kind: "bitsSet", field: "ct mark", bits: 0x4000 }, "ct mark & 0x00004000 == 0x00004000"],
  [{ kind: "setBits", field: "ct mark", bits: 0x4000 }, "ct mark set ct mark | 0x00004000"],
  [{ kind: "inSet", key: ["ip saddr", "ip daddr"], set: "s", negated: true }, "ip saddr . ip daddr != @s"],
  [{ kind: "noRoute" }, "fib daddr oif missing"],
  [{ kind: "setMark", to: { kind: "random", modulus: 3, offset: 0 } }, "meta mark set numgen random mod 3"],
  [{ kind: "setMark", to: { kind: "random", modulus: 3, offset: 9 } }, "meta mark set numgen random mod 3 offset 9"],
  [{ kind: "dispatch", key: ["meta mark"], map: "m" }, "meta mark vmap @m"],
  [{ kind: "dnatByMap", key: ["ip daddr", "tcp dport"], map: "m" }, "dnat ip to ip daddr . tcp dport map @m"],
  [{ kind: "dnat", address: "10.0.0.1", port: 80 }, "dnat to 10.0.0.1:80"],
  [{ kind: "dnat", address: "fd00::1", port: 80 }, "dnat to [fd00::1]:80"],
  [
    { kind: "remember", operation: "update", map: "m", key: ["ip saddr"], value: "meta mark", timeoutSeconds: 93_784 },
    "update @m { ip saddr timeout 1d2h3m4s : meta mark }",
  ],
  [{ kind: "remember", operation: "delete", map: "m", key: ["ip saddr"], value: "meta mark" }, "delete @m { ip saddr : meta mark }"],
  [{ kind: "masquerade" }, "masquerade fully-random"],
  [{ kind: "notrack" }, "notrack"],
  [{ kind: "fromInterface", name: "cni0", prefix: false }, 'iifname "cni0"'],
  [{ kind: "fromInterface", name: "veth", prefix: true }, 'iifname "veth*"'],
  [{ kind: "reject", with: "tcp reset" }, "reject with tcp reset"],
  [{ kind: "reject", with: "port-unreachable" }, "reject"],
  [{ kind: "reject", with: "admin-prohibited" }, "reject with icmp admin-prohibited", "reject with icmpv6 admin-prohibited"],
  [{ kind: "verdict", verdict: { kind: "goto", chain: "a/b" } }, "goto a/b"],
];

test.each(printed.map(([statement, text, inTableIp6 = text]) => ({ statement, text, inTableIp6 })))(
  "$text",
  ({ statement, text, inTableIp6 }) => {
    expect(ruleText([statement], "ip")).toBe(text);
    expect(ruleText([statement], "ip6")).toBe(inTableIp6.replace("dnat ip to", "dnat ip6 to"));
  },
);

test("an element says whose it is", () => {
  const set = { name: "s", key: ["ipv4_addr", "inet_proto", "inet_service"], value: ["mark"] } as const;
  expect(elementText(set, { key: ["10.96.0.1", "tcp", 80], value: [7], comment: "default/web" })).toBe(
    '10.96.0.1 . tcp . 80 comment "default/web" : 0x00000007',
  );
});

const table = { family: "ip", name: "t" } as const;
const rule = (chain: string, ...statements: Statement[]): Operation => ({ kind: "addRule", table, chain, statements });
const verdict = (kind: "jump" | "goto", chain: string): Statement => ({ kind: "verdict", verdict: { kind, chain } });
const to = (value: string): Statement => ({ kind: "match", field: "ip daddr", operator: "==", value });
const packet = { from: "10.0.0.9", port: 80, protocol: "tcp", local: false };
const options = { random: () => 0, now: 0, keep: true };

test("a jump comes back, a goto does not, return goes up", () => {
  const ruleset = new Ruleset();
  ruleset.commit([
    { kind: "addTable", table },
    ...["sub", "after"].map((chain): Operation => ({ kind: "addChain", table, chain })),
    { kind: "addChain", table, chain: "base", base: { type: "nat", hook: "prerouting", priority: -100 } },
    rule("base", to("10.1.0.0/16"), verdict("jump", "sub")),
    rule("base", to("10.2.0.0/16"), verdict("goto", "sub")),
    rule("base", { kind: "verdict", verdict: { kind: "drop" } }),
    rule("sub", to("10.1.0.1"), { kind: "verdict", verdict: { kind: "accept" } }),
    rule("sub", { kind: "verdict", verdict: { kind: "return" } }),
    rule("sub", { kind: "reject", with: "port-unreachable" }),
  ]);
  const answer = (address: string) => evaluate(ruleset, { ...packet, to: address }, options).kind;
  expect([answer("10.1.0.1"), answer("10.1.0.2"), answer("10.2.0.2")]).toEqual(["accept", "drop", "accept"]);
});

test("a dynamic map: add keeps what is there, update renews its time, a full one ends the rule, time ends an entry", () => {
  const ruleset = new Ruleset();
  const map = { name: "m", key: ["ipv4_addr"], value: ["mark"], size: 1, flags: ["dynamic", "timeout"] } as const;
  const remember = (operation: "add" | "update"): Statement => ({
    kind: "remember",
    operation,
    map: "m",
    key: ["ip saddr"],
    value: "meta mark",
    timeoutSeconds: 10,
  });
  ruleset.commit([
    { kind: "addTable", table },
    { kind: "addSet", table, set: map },
    { kind: "addChain", table, chain: "base", base: { type: "nat", hook: "prerouting", priority: -100 } },
    rule("base", to("10.1.0.1"), { kind: "setMark", to: { kind: "random", modulus: 9, offset: 0 } }, remember("add"), {
      kind: "verdict",
      verdict: { kind: "drop" },
    }),
    rule("base", to("10.1.0.2"), { kind: "setMark", to: { kind: "map", key: ["ip saddr"], map: "m" } }, remember("update"), {
      kind: "verdict",
      verdict: { kind: "drop" },
    }),
  ]);
  const send = (from: string, address: string, now: number, random = 0) =>
    evaluate(ruleset, { ...packet, from, to: address }, { random: () => random, now, keep: true }).kind;
  const stored = () => ruleset.table(table)?.sets.get("m")?.elements.get("10.0.0.1")?.value;
  expect(send("10.0.0.1", "10.1.0.1", 0, 3)).toBe("drop");
  expect(send("10.0.0.1", "10.1.0.1", 1, 4)).toBe("drop");
  expect(stored()).toEqual([3]);
  expect(send("10.0.0.2", "10.1.0.1", 1, 5)).toBe("accept"); // full
  expect(send("10.0.0.1", "10.1.0.2", 9)).toBe("drop");
  expect(send("10.0.0.1", "10.1.0.2", 18)).toBe("drop"); // renewed at 9
  expect(send("10.0.0.1", "10.1.0.2", 29)).toBe("accept"); // gone
});
