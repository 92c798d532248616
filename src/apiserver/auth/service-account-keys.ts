/** The key that signs the tokens of ServiceAccounts. Kept as `sa.key` beside the certificates, so that tokens outlive a restart. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode, errorMessage, FairleadError } from "../../lib/errors.ts";
import { signingKey, type SigningKey } from "./jwt.ts";
import { writeWhole } from "../../lib/x509/held.ts";

/**
 * The key in the directory, made if it is not there; without a directory one in memory. Throws FL_CONFIG when the file holds no
 * usable key: making another would silently end every token.
 */
export async function ensureServiceAccountKey(directory: string | undefined): Promise<SigningKey> {
  if (directory === undefined) return signingKey(newKey());
  const path = join(directory, "sa.key");
  const pem = await readFile(path, "utf8").catch((error: unknown) => {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (pem !== undefined) return loaded(path, pem);
  const key = newKey();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeWhole(path, key.export({ type: "pkcs8", format: "pem" }) as string);
  return signingKey(key);
}

function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

function loaded(path: string, pem: string): SigningKey {
  try {
    return signingKey(createPrivateKey(pem));
  } catch (cause) {
    throw new FairleadError("FL_CONFIG", `${path} holds no key that can sign tokens: ${errorMessage(cause)}`, {
      cause,
      hint: "Remove it to have a new one made; tokens given out so far end with it.",
    });
  }
}
