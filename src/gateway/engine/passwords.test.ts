import { execFileSync, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { isReadable, PasswordCheck, passwordHolds } from "./passwords.ts";

test.for([
  // By Apache's `htpasswd`, and openssl's `passwd`, which have the same algorithms.
  ["$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00", "password"],
  ["$1$abcdefgh$G//4keteveJp0qb8z2DxG/", "password"],
  ["{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password"],
  ["{PLAIN}password", "password"],
] as const)("%s", ([stored, password]) => {
  expect(isReadable(stored)).toBe(true);
  expect(passwordHolds(stored, password)).toBe(true);
  expect(passwordHolds(stored, `${password} `)).toBe(false);
  expect(passwordHolds(stored, "")).toBe(false);
});

test("apr1, md5-crypt of any password, as openssl has them", (ctx) => {
  if (spawnSync("openssl", ["version"]).error !== undefined) return ctx.skip("needs openssl");
  for (const password of ["a", "secret", "fifteen letters", "sixteen letters!", "seventeen letters", "ünïcödé", "x".repeat(60)]) {
    for (const kind of ["-apr1", "-1"]) {
      const stored = execFileSync("openssl", ["passwd", kind, "-salt", "s4lt", password], { encoding: "utf8" }).trim();
      expect(passwordHolds(stored, password)).toBe(true);
    }
  }
});

test("kinds that take too long are not checked", () => {
  for (const stored of ["$2y$05$abcdefghijklmnopqrstuv", "$6$salt$hash", "password", ""]) {
    expect(isReadable(stored)).toBe(false);
    expect(passwordHolds(stored, "password")).toBe(false);
  }
});

test("the header: a user, or nobody", () => {
  const check = new PasswordCheck();
  const users = new Map([
    ["ann", "{PLAIN}a:b"],
    ["", "{PLAIN}"],
  ]);
  const header = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  expect(check.userOf(header("ann:a:b"), users)).toBe("ann");
  expect(check.userOf(header("ann:a:b").replace("Basic", "bAsIc"), users)).toBe("ann");
  for (const bad of [header("ann:a"), header("bob:a:b"), header("ann"), "Bearer x", "Basic", "Basic !!", undefined])
    expect(check.userOf(bad, users)).toBeUndefined();
  // What held once holds no longer when the password is another.
  expect(check.userOf(header("ann:a:b"), new Map([["ann", "{PLAIN}c"]]))).toBeUndefined();
});
