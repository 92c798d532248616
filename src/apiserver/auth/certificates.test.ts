import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ensureCertificates } from "./certificates.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import { parse } from "yaml";

let root: string;
const now = Date.UTC(2026, 10, 21);
const day = 86_400_000;
const addresses = ["10.96.0.1"];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "fairlead-pki-"));
});

afterEach(() => rmSync(root, { recursive: true }));

const ensure = (at = now, more: string[] = []) =>
  ensureCertificates({ directory: join(root, "pki"), addresses: [...addresses, ...more], now: at });

test("names the server in every way that it is reached by, and the administrator", async () => {
  const { ca, server, admin } = await ensure();
  const certificate = new X509Certificate(server.cert);
  for (const name of ["localhost", "kubernetes", "kubernetes.default.svc.cluster.local"]) expect(certificate.checkHost(name)).toBe(name);
  for (const address of ["127.0.0.1", "::1", "10.96.0.1"]) expect(certificate.checkIP(address)).toBe(address);
  expect(certificate.checkIssued(new X509Certificate(ca))).toBe(true);
  expect(new X509Certificate(admin.cert).subject).toBe("O=system:masters\nCN=kubernetes-admin");
});

test("are kept for their owner alone, and used again", async () => {
  const first = await ensure();
  expect(statSync(join(root, "pki")).mode & 0o777).toBe(0o700);
  for (const file of readdirSync(join(root, "pki"))) expect(statSync(join(root, "pki", file)).mode & 0o777).toBe(0o600);
  expect(await ensure()).toEqual(first);
  expect(await ensure(now + 300 * day)).toEqual(first);
});

test("are renewed before they end, under the same authority as long as that lasts", async () => {
  const first = await ensure();
  const later = await ensure(now + 340 * day);
  expect([later.ca === first.ca, later.server === first.server]).toEqual([true, false]);
  expect(new X509Certificate(later.server.cert).checkIssued(new X509Certificate(first.ca))).toBe(true);
  const muchLater = await ensure(now + 3640 * day);
  expect([muchLater.ca === first.ca, muchLater.admin.cert === first.admin.cert]).toEqual([false, false]);
});

test("are made anew for another address, and where a file is damaged", async () => {
  const first = await ensure();
  const other = await ensure(now, ["192.0.2.1"]);
  expect([other.ca === first.ca, other.server.cert === first.server.cert, other.admin.cert === first.admin.cert]).toEqual([
    true,
    false,
    true,
  ]);
  writeFileSync(join(root, "pki", "admin.key"), "nonsense");
  expect((await ensure(now, ["192.0.2.1"])).admin.cert).not.toBe(first.admin.cert);
  writeFileSync(join(root, "pki", "ca.crt"), "nonsense");
  expect((await ensure(now, ["192.0.2.1"])).ca).not.toBe(first.ca);
});

test("a kubeconfig reads back as what went in", () => {
  const text = kubeconfigText({
    name: 'a: "b"',
    server: "https://127.0.0.1:1",
    ca: "CA\n",
    client: { cert: "C", key: "K" },
    namespace: "shop",
  });
  expect(parse(text)).toMatchObject({
    "current-context": 'a: "b"',
    clusters: [
      { name: 'a: "b"', cluster: { server: "https://127.0.0.1:1", "certificate-authority-data": Buffer.from("CA\n").toString("base64") } },
    ],
    contexts: [{ context: { namespace: "shop" } }],
  });
});
