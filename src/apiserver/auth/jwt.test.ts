import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonWebKey, signToken, signingKey, verifyToken } from "./jwt.ts";

const ec = signingKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
const rsa = signingKey(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);
const claims = { iss: "us", aud: ["them"], "kubernetes.io": { namespace: "ä" } };

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

test.each([
  ["ES256", ec],
  ["RS256", rsa],
])("%s: what is signed reads back, with its own key only", (algorithm, key) => {
  const token = signToken(claims, key);
  expect(verifyToken(token, [ec, rsa])).toEqual(claims);
  expect(verifyToken(token, [key === ec ? rsa : ec])).toBeUndefined();
  expect(jsonWebKey(key)).toMatchObject({ kid: key.id, alg: algorithm, use: "sig" });
  expect(jsonWebKey(key)).not.toHaveProperty("d");
});

test("unsigned, of another algorithm, with another header or another body: refused", () => {
  const [head = "", body = "", signature = ""] = signToken(claims, ec).split(".");
  const none = encoded({ alg: "none", kid: ec.id });
  // The public key as the secret of an HMAC: the classic confusion.
  const confused = encoded({ alg: "HS256", kid: ec.id });
  const critical = encoded({ alg: "ES256", kid: ec.id, crit: ["b64"] });
  for (const token of [
    `${none}.${body}.`,
    `${confused}.${body}.${signature}`,
    `${critical}.${body}.${signature}`,
    `${head}.${encoded({ ...claims, iss: "me" })}.${signature}`,
    `${head}.${body}`,
    `${head}.${body}.${signature}.x`,
    "",
    `${"a".repeat(20_000)}.b.c`,
  ])
    expect(verifyToken(token, [ec])).toBeUndefined();
});

test("no other key signs", () => {
  expect(() => signingKey(generateKeyPairSync("ed25519").privateKey)).toThrow("ed25519");
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  expect(() => signingKey(createPrivateKey(p384.export({ type: "pkcs8", format: "pem" })))).toThrow("P-256");
});

test("arbitrary texts are refused, never thrown at", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(fc.json(), fc.json(), fc.string()).map((parts) => parts.map((one) => Buffer.from(one).toString("base64url")).join(".")),
      ),
      (text) => {
        expect(verifyToken(text, [ec])).toBeUndefined();
      },
    ),
  );
});
