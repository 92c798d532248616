/** Certificates with their keys, kept in a directory that only its owner can read: `ca.crt` and `ca.key`, mode 0600. */
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode } from "../errors.ts";
import { privateKeyPem, type KeyPair } from "./x509.ts";

export interface Held {
  /** PEM */
  readonly cert: string;
  readonly keys: KeyPair;
}

/** Undefined when there is none, or none that can be read: then it is made anew. */
export async function readHeld(directory: string, name: string): Promise<Held | undefined> {
  const [cert, key] = await Promise.all([readText(join(directory, `${name}.crt`)), readText(join(directory, `${name}.key`))]);
  if (cert === undefined || key === undefined) return undefined;
  const privateKey = parsedKey(cert, key);
  return privateKey === undefined ? undefined : { cert, keys: { privateKey, publicKey: createPublicKey(privateKey) } };
}

function parsedKey(cert: string, key: string): KeyObject | undefined {
  try {
    const privateKey = createPrivateKey(key);
    return new X509Certificate(cert).checkPrivateKey(privateKey) ? privateKey : undefined;
  } catch {
    // A damaged file is like a missing one.
    return undefined;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The key first: a certificate without its key is made anew, a key without its certificate is of no use to anybody. */
export async function writeHeld(directory: string, name: string, { cert, keys }: Held): Promise<void> {
  await writeWhole(join(directory, `${name}.key`), privateKeyPem(keys));
  await writeWhole(join(directory, `${name}.crt`), cert);
}

/** Mode 0600, and never half written. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
