/**
 * A real browser opens two hosts of an Ingress over HTTPS and HTTP/2. It verifies certificates: one host's comes from a Secret, the
 * other's from the local CA, and both CAs are put into the browser's own trust store as a user would do it. Needs Chromium and
 * certutil; as root they are installed when missing.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page, type Response } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ingresses } from "../../src/api/resources.ts";
import { issueCertificate, newKeyPair, privateKeyPem } from "../../src/lib/x509/x509.ts";
import { startCluster, type PodFunction, type TestCluster } from "../../src/testing/index.ts";

const patient = 300_000;

function findProgram(...names: readonly string[]): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return names.flatMap((name) => directories.map((directory) => join(directory, name))).find((path) => existsSync(path));
}

function install(...packages: readonly string[]): void {
  if (process.getuid?.() !== 0 || findProgram("apt-get") === undefined) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { env, stdio: "ignore", timeout: patient });
}

const chromiums = ["chromium", "chromium-browser", "google-chrome"] as const;
if (findProgram(...chromiums) === undefined) install("chromium");
if (findProgram("certutil") === undefined) install("libnss3-tools");
const browserPath = findProgram(...chromiums);
const certutil = findProgram("certutil");
const missing =
  browserPath === undefined
    ? "needs Chromium: apt-get install chromium"
    : certutil === undefined
      ? "needs certutil: apt-get install libnss3-tools"
      : undefined;

/** A page with a form, and a WebSocket that says everything back in upper case. */
const page: PodFunction = ({ env }) => {
  const server = createServer((asked, response) => {
    if (asked.method === "POST") {
      let body = "";
      asked.on("data", (chunk: Buffer) => (body += String(chunk)));
      asked.on("end", () => response.end(`posted ${body} by ${String(asked.headers["x-forwarded-proto"])}`));
      return;
    }
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><title>${env["TITLE"]}</title><h1>${env["TITLE"]}</h1><p id="path">${String(asked.url)}</p>`);
  });
  server.on("upgrade", (asked, socket) => {
    const accept = createHash("sha1")
      .update(`${String(asked.headers["sec-websocket-key"])}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => socket.destroy());
    socket.on("data", (frame: Buffer) => socket.write(answerFrame(frame)));
  });
  return server;
};

/** To a short masked text frame (RFC 6455 5.2), its text in upper case; to anything else an end. */
function answerFrame(frame: Buffer): Buffer {
  const length = (frame[1] as number) & 0x7f;
  if (frame[0] !== 0x81 || length > 125) return Buffer.from([0x88, 0]);
  const text = Buffer.alloc(length);
  for (let at = 0; at < length; at++) text[at] = (frame[6 + at] as number) ^ (frame[2 + (at % 4)] as number);
  return Buffer.concat([Buffer.from([0x81, length]), Buffer.from(text.toString().toUpperCase())]);
}

const workload = (name: string, title: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers: [{ name: page, image: test/page, ports: [{ containerPort: 3000 }], env: [{ name: TITLE, value: ${title} }] }]
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: web, port: 80, targetPort: 3000 }] }
`;

const manifests = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: pages }
spec:
  tls: [{ hosts: [shop.localhost], secretName: shop-tls }]
  rules:
    - host: shop.localhost
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: shop, port: { name: web } } } }] }
    - host: blog.localhost
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: blog, port: { name: web } } } }] }
`;

const day = 86_400_000;

/** A Secret for the host from a CA of the test's own. */
function ownCertificate(host: string): { readonly ca: string; readonly secret: string } {
  const authority = { subject: { commonName: "own test CA" }, keys: newKeyPair() };
  const times = { notBefore: Date.now() - day, notAfter: Date.now() + 30 * day };
  const keys = newKeyPair();
  const leaf = issueCertificate({ subject: { commonName: host }, issuer: authority, keys, names: [host], usage: "server", ...times });
  const data = { "tls.crt": Buffer.from(leaf).toString("base64"), "tls.key": Buffer.from(privateKeyPem(keys)).toString("base64") };
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "shop-tls" }, type: "kubernetes.io/tls", data };
  return { ca: issueCertificate({ ...authority, usage: "ca", ...times }), secret: JSON.stringify(secret) };
}

/** Where Chromium on Linux looks for what its user trusts. */
function trust(home: string, name: string, cert: string): void {
  const database = join(home, ".pki/nssdb");
  if (!existsSync(database)) {
    mkdirSync(database, { recursive: true });
    execFileSync(certutil as string, ["-d", `sql:${database}`, "-N", "--empty-password"]);
  }
  const file = join(home, `${name}.crt`);
  writeFileSync(file, cert);
  execFileSync(certutil as string, ["-d", `sql:${database}`, "-A", "-t", "C,,", "-n", name, "-i", file]);
}

describe.skipIf(missing !== undefined)("Chromium", () => {
  let cluster: TestCluster;
  let home: string;
  let browser: Browser;
  let port: number;

  beforeAll(async () => {
    const own = ownCertificate("shop.localhost");
    cluster = await startCluster({ functions: { "test/page": page }, storage: "sqlite" });
    await cluster.apply(own.secret);
    await cluster.apply(workload("shop", "Shop"));
    await cluster.apply(workload("blog", "Blog"));
    await cluster.apply(manifests);
    for (const name of ["shop", "blog"]) await cluster.untilReady(`deployment/${name}`, { timeout: patient });
    port = await securePort();
    home = mkdtempSync(join(tmpdir(), "fairlead-browser-"));
    trust(home, "own", own.ca);
    trust(home, "local", readFileSync(join(dirname(await cluster.kubeconfig()), "pki/local-ca.crt"), "utf8"));
    browser = await launch(home);
  }, patient);

  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
    if (home !== undefined) rmSync(home, { recursive: true, force: true });
  }, patient);

  async function securePort(): Promise<number> {
    for (;;) {
      const [address] = (await cluster.client.get(ingresses, { namespace: "default", name: "pages" })).status?.loadBalancer?.ingress ?? [];
      if (address?.ports?.[1] !== undefined) return address.ports[1].port;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  function launch(userHome: string): Promise<Browser> {
    // Chromium will not start its sandbox as root; the pages are this test's own.
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    return chromium.launch({ executablePath: browserPath as string, args, env: { ...process.env, HOME: userHome }, timeout: patient });
  }

  async function inPage<T>(work: (page: Page, context: BrowserContext) => Promise<T>): Promise<T> {
    const context = await browser.newContext();
    try {
      const opened = await context.newPage();
      opened.setDefaultTimeout(patient);
      return await work(opened, context);
    } finally {
      await context.close();
    }
  }

  /** What the browser itself says it spoke. */
  const protocol = (opened: Page) =>
    opened.evaluate(
      () => (performance.getEntriesByType("navigation" as never)[0] as unknown as { nextHopProtocol: string }).nextHopProtocol,
    );

  test.for([
    ["shop.localhost", "Shop", "own test CA"],
    ["blog.localhost", "Blog", "Fairlead local CA"],
  ] as const)("opens https://%s over HTTP/2 and trusts what it is shown", { timeout: patient }, async ([host, title, issuer]) => {
    await inPage(async (opened) => {
      const response = (await opened.goto(`https://${host}:${port}/some/path?x=1`)) as Response;
      expect(response.status()).toBe(200);
      expect(await opened.locator("h1").innerText()).toBe(title);
      expect(await opened.locator("#path").innerText()).toBe("/some/path?x=1");
      expect(await protocol(opened)).toBe("h2");
      expect((await response.securityDetails())?.issuer).toBe(issuer);
      const posted = await opened.evaluate(async () => await (await fetch("/form", { method: "POST", body: "a body" })).text());
      expect(posted).toBe("posted a body by https");
    });
  });

  test("a WebSocket over TLS, held through an edit of the routes", { timeout: patient }, async () => {
    await inPage(async (opened) => {
      await opened.goto(`https://blog.localhost:${port}/`);
      const said = opened.evaluate(
        () =>
          new Promise<string>((resolve, reject) => {
            const { location } = globalThis as unknown as { location: { host: string } };
            const socket = new WebSocket(`wss://${location.host}/ws`);
            Object.assign(globalThis, { socket });
            socket.addEventListener("open", () => socket.send("hello"));
            socket.addEventListener("message", (event) => resolve(String(event.data)));
            socket.addEventListener("close", () => reject(new Error("closed")));
          }),
      );
      expect(await said).toBe("HELLO");
      const rule = {
        host: "blog.localhost",
        http: { paths: [{ path: "/elsewhere", pathType: "Prefix", backend: { service: { name: "blog", port: { name: "web" } } } }] },
      };
      await cluster.client.patch(ingresses, { namespace: "default", name: "pages" }, "application/merge-patch+json", {
        spec: { rules: [rule] },
      });
      await expect.poll(() => opened.evaluate(async () => (await fetch("/")).status), { timeout: patient }).toBe(404);
      const again = opened.evaluate(
        () =>
          new Promise<string>((resolve) => {
            const { socket } = globalThis as unknown as { socket: WebSocket };
            socket.addEventListener("message", (event) => resolve(String(event.data)));
            socket.send("still here");
          }),
      );
      expect(await again).toBe("STILL HERE");
    });
  });

  test("a browser that was not told to trust the local CA does not", { timeout: patient }, async () => {
    const stranger = mkdtempSync(join(tmpdir(), "fairlead-browser-"));
    const other = await launch(stranger);
    try {
      const opened = await other.newPage();
      await expect(opened.goto(`https://blog.localhost:${port}/`)).rejects.toThrow(/ERR_CERT_AUTHORITY_INVALID/);
    } finally {
      await other.close();
      rmSync(stranger, { recursive: true, force: true });
    }
  });
});

test("the browser is there", (ctx) => {
  if (missing !== undefined) ctx.skip(missing);
  expect(browserPath).toBeDefined();
});
