/**
 * The web console in Chromium, over a real cluster and over a made-up one of 10,000 Services: what a person sees on each page, that it
 * follows the cluster without being asked, and that nobody without a session sees anything.
 */
import { Resolver } from "node:dns/promises";
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildWeb } from "../../scripts/build-web.ts";
import { endpointSlices, services } from "../../src/api/resources.ts";
import { createConsole, type Console } from "../../src/console/server.ts";
import { realClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { startCluster, type PodFunction, type TestCluster } from "../../src/testing/index.ts";
import { findChromium, launchChromium, noChromium } from "../support/browser.ts";
import { consoleOver, manyServices } from "../support/console-world.ts";

const patient = 120_000;
const chromiumPath = findChromium();

const shop: PodFunction = () => createServer((asked, response) => response.end(`the shop answers ${asked.url}`));

const workload = (name: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - { name: app, image: test/shop, env: [{ name: PASSWORD, value: hunter2 }], ports: [{ name: http, containerPort: 8080 }] }
---
`;

const manifests = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
${workload("web")}
${workload("cart")}
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: shop }
spec: { selector: { app: carts }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: edge, namespace: shop }
spec:
  rules:
    - host: shop.localhost
      http:
        paths:
          - { path: /cart, pathType: Prefix, backend: { service: { name: cart, port: { name: http } } } }
          - { path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }
`;

describe.skipIf(chromiumPath === undefined)("the console", () => {
  let assets: string;
  let browser: Browser;
  let cluster: TestCluster;
  let real: Console;
  let large: Console;
  /** What the browser complains about: violations of the content security policy, exceptions. */
  const complaints: string[] = [];

  beforeAll(async () => {
    assets = mkdtempSync(join(tmpdir(), "fairlead-console-"));
    const starting = startCluster({ functions: { "test/shop": shop }, manifests });
    await buildWeb(assets);
    [browser, cluster] = await Promise.all([launchChromium(chromiumPath as string), starting]);
    const { client, informers } = cluster;
    real = createConsole({ client, informers, name: "test", server: "", port: 0, assets, clock: realClock, log: silentLogger });
    large = consoleOver(manyServices(10_000), assets);
    await Promise.all([real.start(), large.start(), cluster.untilReady("deployment/web", { namespace: "shop", timeout: patient })]);
  }, patient);

  afterAll(async () => {
    await browser?.close();
    await Promise.all([real?.stop(), large?.stop()]);
    await cluster?.stop();
    rmSync(assets, { recursive: true, force: true });
  }, patient);

  afterEach(() => expect(complaints.splice(0)).toEqual([]));

  async function open(where: Console, path = "/"): Promise<Page> {
    const context = await browser.newContext({ reducedMotion: "reduce", viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(patient);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
    const url = new URL(where.url);
    await page.goto(new URL(path, url).href + url.hash);
    await page.getByRole("status").getByText("Live").waitFor();
    return page;
  }

  const close = (page: Page) => page.context().close();

  test(
    "the token leaves the address bar at once; its cookie is no script's; data needs the key as well",
    { timeout: patient },
    async () => {
      const page = await open(real);
      expect(page.url()).toBe(new URL("/", real.url).href);
      const [cookie] = await page.context().cookies();
      expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/console" });
      const feed = new URL("/console/feed", real.url);
      const status = async (headers: Record<string, string>) => (await fetch(feed, { headers })).status;
      expect(await status({ cookie: `${cookie?.name}=${cookie?.value}` })).toBe(401);
      expect(await status({ cookie: `${cookie?.name}=${cookie?.value}`, "x-fairlead-console": "guess" })).toBe(401);
      expect(await status({ origin: "http://evil.example" })).toBe(403);
      const refused = await fetch(new URL("/console/session", real.url), { method: "POST", body: JSON.stringify({ token: "guess" }) });
      expect(refused.status).toBe(401);
      expect(await page.content()).not.toContain("hunter2");
      await close(page);
    },
  );

  test("without a session there is nothing but how to get one", { timeout: patient }, async () => {
    const page = await browser.newPage();
    await page.goto(new URL("/", real.url).href);
    await page.getByText("Open the URL that Fairlead printed").waitFor();
    await page.getByText("No session", { exact: true }).waitFor();
    await page.close();
  });

  test("the map shows what leads where, explains a request that breaks, and follows its repair", { timeout: patient }, async () => {
    const page = await open(real);
    const map = page.getByRole("region", { name: "Map of the cluster's traffic" });
    await map.getByRole("link", { name: /Ingress · edge shop\.localhost/ }).waitFor();
    await map.getByRole("link", { name: /^web .*2 ready/ }).waitFor();
    await map.getByRole("link", { name: /^cart .*no endpoints/ }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("http://shop.localhost/cart");
    await page.getByLabel(/Who asks/).fill("outside");
    await page.getByRole("button", { name: "Explain" }).click();
    const why = page.getByRole("complementary", { name: "Explanation" });
    await why.getByText("It does not arrive").waitFor();
    await why.getByText("SelectorTypo").waitFor();
    await why.getByText("What to change").waitFor();
    await map.locator("[data-id='Service shop/cart'].lit").waitFor();
    expect(await map.locator("[data-id='Service shop/web']").count()).toBe(0);
    const ref = { namespace: "shop", name: "cart" };
    await cluster.client.patch(services, ref, "application/merge-patch+json", { spec: { selector: { app: "cart" } } });
    await why.getByText("It arrives").waitFor();
    await expect.poll(() => map.locator(".card.endpoint.lit").count(), { timeout: patient }).toBe(2);
    await why.getByRole("button", { name: "Step before" }).click();
    await page.keyboard.press("Escape");
    await why.waitFor({ state: "detached" });
    await close(page);
  });

  test("a Service: its endpoints, its rules in three modes, its names", { timeout: patient }, async () => {
    const page = await open(real, "/services");
    await page.getByRole("link", { name: "shop/web" }).click();
    await page.getByRole("heading", { name: "web", exact: true }).waitFor();
    await page.getByText(/sends traffic to 2 of 2 pods/).waitFor();
    const address = (await cluster.client.get(services, { namespace: "shop", name: "web" })).spec?.clusterIP as string;
    for (const mode of ["nftables", "iptables", "ipvs"])
      await page.getByLabel(`Rules of mode ${mode}`).getByText(address).first().waitFor();
    await page.getByText(`30 A ${address}`).waitFor();
    expect(await page.locator(".strip").count()).toBe(2);
    await page.getByRole("slider", { name: "Moment" }).waitFor();
    await page.getByRole("button", { name: "ipvs" }).click();
    expect(await page.getByLabel("Rules of mode ipvs").count()).toBe(0);
    await close(page);
  });

  test("the gateway: what the rules say, and the same when it is sent", { timeout: patient }, async () => {
    const page = await open(real, "/gateway");
    await page.getByLabel("Path").fill("/hello?x=1");
    await page.getByText(/shop\/web \(Ingress shop\/edge/).waitFor();
    await page.getByText("/hello is not /cart or below it").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("the shop answers /hello?x=1").waitFor();
    await page.getByLabel("Host").fill("other.localhost");
    await page.getByText("no rule takes it: 404").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".answer strong", { hasText: "404" }).waitFor();
    await close(page);
  });

  test("DNS: a name asked here, and who asked the server for what", { timeout: patient }, async () => {
    const slice = await cluster.client.get(endpointSlices, { namespace: "kube-system", name: "kube-dns-builtin" });
    const resolver = new Resolver();
    resolver.setServers([`${slice.endpoints?.[0]?.addresses[0]}:${slice.ports?.[0]?.port}`]);
    await resolver.resolve4("web.shop.svc.cluster.local");
    const page = await open(real, "/dns");
    await page.getByRole("cell", { name: "web", exact: true }).waitFor();
    await page.getByLabel("Name", { exact: true }).fill("nothing.shop.svc.cluster.local");
    await page.getByText("does not exist").waitFor();
    await close(page);
  });

  test("pods and nodes", { timeout: patient }, async () => {
    const page = await open(real, "/pods?q=web-");
    await expect.poll(() => page.getByRole("row", { name: /shop\/web-.* ready/ }).count(), { timeout: patient }).toBe(2);
    await page.getByRole("link", { name: "Nodes" }).click();
    await page.getByRole("row", { name: /node-1 ready/ }).waitFor();
    await close(page);
  });

  test("10,000 Services: a few rows in the page, search, keys, and a tile for each on the map", { timeout: patient }, async () => {
    const page = await open(large, "/services");
    const list = page.getByRole("table", { name: "Services" });
    expect(await list.getAttribute("aria-rowcount")).toBe("10001");
    const rows = () => page.locator(".list-row").count();
    expect(await rows()).toBeLessThan(60);
    await page.locator(".list-body").evaluate((body) => body.scrollTo(0, 200_000));
    await page.getByRole("link", { name: "team-050/service-10" }).waitFor();
    expect(await rows()).toBeLessThan(60);
    await page.getByRole("link", { name: "team-050/service-10" }).focus();
    await page.keyboard.press("End");
    await page.getByRole("link", { name: "team-099/service-99" }).waitFor();
    await page.getByLabel("Filter Services").fill("team-042 service-07");
    await expect.poll(rows, { timeout: patient }).toBe(1);
    await page.getByRole("link", { name: "Map", exact: true }).first().click();
    const tiles = page.getByRole("application", { name: /10000 Services as tiles/ });
    await tiles.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.getByText("team-000/service-01: 1 of 2 ready").waitFor();
    await page.keyboard.press("Enter");
    await page.locator("[data-id='Service team-000/service-01']").waitFor();
    await close(page);
  });
});

test("the browser is there", (ctx) => {
  if (chromiumPath === undefined) ctx.skip(noChromium);
  expect(chromiumPath).toBeDefined();
});
