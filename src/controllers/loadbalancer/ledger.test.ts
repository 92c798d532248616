import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AddressLedger, type AddressRequest } from "./ledger.ts";
import { AddressPool } from "./address-pool.ts";

const request = (key: string, more: Partial<AddressRequest> = {}): AddressRequest => ({ key, families: [4], ports: ["TCP/80"], ...more });

describe("AddressPool", () => {
  test.each([
    ["10.0.0.0/30", ["10.0.0.1", "10.0.0.2"]],
    ["10.0.0.8/31", ["10.0.0.8", "10.0.0.9"]],
    ["10.0.0.8/32", ["10.0.0.8"]],
    ["fd00::/126", ["fd00::1", "fd00::2", "fd00::3"]],
  ])("%s holds %j, the lowest first", (cidr, addresses) => {
    const pool = new AddressPool([cidr]);
    const family = cidr.includes(":") ? 6 : 4;
    expect(addresses.map(() => pool.takeAny(family))).toEqual(addresses);
    expect(pool.takeAny(family)).toBeUndefined();
    pool.release(addresses[0] as string);
    expect(pool.takeAny(family)).toBe(addresses[0]);
  });

  test("a text that is no range is refused", () => expect(() => new AddressPool(["10.0.0.0"])).toThrow(/no address range/));
});

describe("AddressLedger", () => {
  test("a Service keeps its address whatever comes and goes, and gives it back in the end", () => {
    const ledger = new AddressLedger(["127.97.128.0/29"]);
    const [a, b] = [ledger.assign(request("a")), ledger.assign(request("b"))];
    expect([a, b]).toEqual([
      { kind: "assigned", addresses: ["127.97.128.1"] },
      { kind: "assigned", addresses: ["127.97.128.2"] },
    ]);
    ledger.release("a");
    expect(ledger.assign(request("b"))).toEqual(b);
    expect(ledger.assign(request("c"))).toEqual(a);
  });

  test("what was adopted is not given to another; a second claim of it is", () => {
    const ledger = new AddressLedger(["127.97.128.0/29"]);
    ledger.adopt(request("old"), ["127.97.128.1", "203.0.113.1"]);
    ledger.adopt(request("claims-the-same"), ["127.97.128.1"]);
    expect(ledger.assign(request("new"))).toMatchObject({ addresses: ["127.97.128.2"] });
    expect(ledger.assign(request("claims-the-same"))).toMatchObject({ addresses: ["127.97.128.3"] });
    expect(ledger.assign(request("old"))).toMatchObject({ addresses: ["127.97.128.1"] });
  });

  test("a certain address is given, or refused by name", () => {
    const ledger = new AddressLedger(["127.97.128.0/29"]);
    expect(ledger.assign(request("a", { wanted: "127.97.128.5" }))).toMatchObject({ addresses: ["127.97.128.5"] });
    expect(ledger.assign(request("b", { wanted: "127.97.128.5" }))).toEqual({ kind: "taken", address: "127.97.128.5", by: "a" });
    expect(ledger.assign(request("c", { wanted: "10.0.0.1" }))).toEqual({ kind: "outOfRange", address: "10.0.0.1" });
    expect(ledger.addressesOf("c")).toEqual([]);
  });

  test("an address is shared under one key, by different ports only", () => {
    const ledger = new AddressLedger(["127.97.128.0/29"]);
    const shared = (key: string, port: string, sharing = "s") => ledger.assign(request(key, { ports: [port], sharing }));
    expect(shared("http", "TCP/80")).toMatchObject({ addresses: ["127.97.128.1"] });
    expect(shared("https", "TCP/443")).toMatchObject({ addresses: ["127.97.128.1"] });
    expect(shared("quic", "UDP/443")).toMatchObject({ addresses: ["127.97.128.1"] });
    expect(shared("again", "TCP/80")).toMatchObject({ addresses: ["127.97.128.2"] });
    expect(shared("other", "TCP/81", "t")).toMatchObject({ addresses: ["127.97.128.3"] });
    expect(ledger.assign(request("x", { ports: ["TCP/80"], sharing: "s", wanted: "127.97.128.1" }))).toEqual({
      kind: "taken",
      address: "127.97.128.1",
      by: "http",
      port: "TCP/80",
    });
    for (const key of ["http", "https"]) ledger.release(key);
    expect(ledger.assign(request("alone"))).toMatchObject({ addresses: ["127.97.128.4"] });
    ledger.release("quic");
    expect(ledger.assign(request("after"))).toMatchObject({ addresses: ["127.97.128.1"] });
  });

  test("of two families both or none", () => {
    const ledger = new AddressLedger(["10.0.0.0/30", "fd00::8/127"]);
    const both = (key: string) => ledger.assign(request(key, { families: [6, 4] }));
    expect(both("a")).toMatchObject({ addresses: ["fd00::8", "10.0.0.1"] });
    expect(ledger.assign(request("v4"))).toMatchObject({ addresses: ["10.0.0.2"] });
    expect(both("b")).toEqual({ kind: "exhausted", family: 4 });
    ledger.release("v4");
    expect(both("b")).toMatchObject({ addresses: ["fd00::9", "10.0.0.2"] });
  });

  const commands = fc.array(
    fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "e", "f"),
      release: fc.boolean(),
      port: fc.constantFrom("TCP/80", "TCP/443", "UDP/80"),
      sharing: fc.constantFrom(undefined, "s", "t"),
      wanted: fc.constantFrom(undefined, "10.0.0.1", "10.0.0.2", "10.0.0.9"),
    }),
    { maxLength: 40 },
  );

  test("any history: an address and port has one owner, and all is free again in the end", () => {
    fc.assert(
      fc.property(commands, (history) => {
        const ledger = new AddressLedger(["10.0.0.0/29"]);
        const now = new Map<string, { readonly port: string; readonly sharing: string | undefined }>();
        for (const { key, release, port, sharing, wanted } of history) {
          if (release) {
            ledger.release(key);
            now.delete(key);
            continue;
          }
          const optional = { ...(sharing === undefined ? {} : { sharing }), ...(wanted === undefined ? {} : { wanted }) };
          const result = ledger.assign(request(key, { ports: [port], ...optional }));
          if (result.kind === "assigned") now.set(key, { port, sharing });
          else now.delete(key);
          if (result.kind === "assigned" && wanted !== undefined) expect(result.addresses).toEqual([wanted]);
          const holders = new Map<string, string[]>();
          for (const holder of now.keys())
            for (const address of ledger.addressesOf(holder)) holders.set(address, [...(holders.get(address) ?? []), holder]);
          for (const keys of holders.values()) {
            const uses = keys.map((holder) => now.get(holder));
            if (keys.length > 1) expect(new Set(uses.map((use) => use?.sharing ?? "nobody"))).toEqual(new Set([uses[0]?.sharing]));
            expect(new Set(uses.map((use) => use?.port)).size).toBe(keys.length);
          }
        }
        for (const key of now.keys()) ledger.release(key);
        const all = Array.from({ length: 7 }, (_, i) => ledger.assign(request(`last-${i}`)).kind);
        expect(all).toEqual([...Array<string>(6).fill("assigned"), "exhausted"]);
      }),
    );
  });
});
