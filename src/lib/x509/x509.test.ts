import { X509Certificate } from "node:crypto";
import { connect, createServer, type TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { issueCertificate, newKeyPair, privateKeyPem, type KeyPair, type Subject } from "./x509.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 10, 21);
const authority = { subject: { commonName: "test-ca" }, keys: newKeyPair() };
const ca = issueCertificate({ ...authority, usage: "ca", notBefore: now - day, notAfter: Date.UTC(2055, 0, 1) });

const issue = (usage: "server" | "client", subject: Subject, keys: KeyPair, names: readonly string[] = []) =>
  issueCertificate({ subject, issuer: authority, keys, names, usage, notBefore: Date.now() - day, notAfter: Date.now() + day });

test("an authority signs itself, for longer than two-digit years last", () => {
  const read = new X509Certificate(ca);
  expect(read.ca).toBe(true);
  expect(read.subject).toBe("CN=test-ca");
  expect(read.verify(authority.keys.publicKey)).toBe(true);
  expect(new Date(read.validTo).getTime()).toBe(Date.UTC(2055, 0, 1));
});

test("a certificate names its subject, its organizations, hosts and addresses, and who signed it", () => {
  const read = new X509Certificate(
    issue("server", { commonName: "kube-apiserver", organizations: ["a", "system:masters"] }, newKeyPair(), [
      "localhost",
      "127.0.0.1",
      "fd00::1",
    ]),
  );
  expect(read.subject.split("\n")).toEqual(["O=a", "O=system:masters", "CN=kube-apiserver"]);
  expect(read.issuer).toBe("CN=test-ca");
  expect(read.checkIssued(new X509Certificate(ca))).toBe(true);
  expect(read.verify(authority.keys.publicKey)).toBe(true);
  expect([read.checkHost("localhost"), read.checkIP("127.0.0.1"), read.checkIP("fd00::1"), read.checkHost("other")]).toEqual([
    "localhost",
    "127.0.0.1",
    "fd00::1",
    undefined,
  ]);
  expect(read.ca).toBe(false);
});

test("TLS accepts them on both sides, and only in their roles", async () => {
  const [serverKeys, clientKeys] = [newKeyPair(), newKeyPair()];
  const server = createServer({
    key: privateKeyPem(serverKeys),
    cert: issue("server", { commonName: "server" }, serverKeys, ["127.0.0.1"]),
    ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const client = issue("client", { commonName: "kubernetes-admin", organizations: ["system:masters"] }, clientKeys);
  const peer = new Promise<string>((resolve) =>
    server.once("secureConnection", (socket: TLSSocket) => resolve(JSON.stringify(socket.getPeerCertificate().subject))),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const socket = connect({ host: "127.0.0.1", port, ca, key: privateKeyPem(clientKeys), cert: client });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  expect(await peer).toBe(JSON.stringify({ O: "system:masters", CN: "kubernetes-admin" }));
  socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});
