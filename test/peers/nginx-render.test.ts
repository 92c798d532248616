/** What `fairlead ingress render --engine nginx` writes, before a real nginx: `nginx -t` takes it, and it answers as the route table says. */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { match, type Listener } from "../../src/decide/routes/index.ts";
import { httpListener, ingress, path, processed, request } from "../../src/decide/routes/testing.ts";
import { renderNginx } from "../../src/decide/routes/render-nginx.ts";
import type { Ingress } from "../../src/api/types.ts";

const nginx = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].find((each) => existsSync(each));
const directory = mkdtempSync(join(tmpdir(), "fairlead-nginx-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const file = join(import.meta.dirname, "../../../shared/cases/ingress-cases.json");

interface PathCase {
  readonly pathType: string;
  readonly paths: readonly string[];
  readonly request: string;
}

/** Each path case on a host of its own: one configuration, one nginx. */
function caseIngresses(): { readonly ingresses: readonly Ingress[]; readonly urls: readonly string[] } {
  const { ingressPathTable } = JSON.parse(readFileSync(file, "utf8")) as { ingressPathTable: readonly PathCase[] };
  const ingresses = ingressPathTable.map(({ pathType, paths }, index) => {
    const rules = paths.map((text, at) => {
      const [, value = text, type = pathType] = /^(\S+) \((\w+)\)$/.exec(text) ?? [];
      return path(value, type, `s${at}`);
    });
    return ingress(`case-${index}`, { rules: [{ host: `case-${index}.test`, http: { paths: rules } }] });
  });
  const urls = ingressPathTable.flatMap(({ request: url }, index) =>
    (url.startsWith("/") ? [url] : ["/", "/foo", "/foo/bar/"]).map((each) => `http://case-${index}.test${each}`),
  );
  return { ingresses, urls };
}

const more = [
  ingress("wild", { rules: [{ host: "*.wild.test", http: { paths: [path("/", "Prefix", "wild")] } }] }),
  ingress(
    "moved",
    { rules: [{ host: "moved.test", http: { paths: [path("/", "Prefix", "x")] } }] },
    { annotations: { "nginx.ingress.kubernetes.io/permanent-redirect": "https://new.test/there" } },
  ),
  ingress(
    "regex",
    { rules: [{ host: "regex.test", http: { paths: [path("/v[0-9]+/a", "ImplementationSpecific", "regex")] } }] },
    { annotations: { "nginx.ingress.kubernetes.io/use-regex": "true" } },
  ),
  ingress(
    "walled",
    { rules: [{ host: "walled.test", http: { paths: [path("/", "Prefix", "x")] } }] },
    { annotations: { "nginx.ingress.kubernetes.io/whitelist-source-range": "10.9.0.0/16" } },
  ),
];
const moreUrls = [
  "http://a.wild.test/x",
  "http://a.b.wild.test/x",
  "http://moved.test/y",
  "http://regex.test/V12/ab",
  "http://regex.test/vx",
  "http://unknown.test/",
  "http://walled.test/",
];

function expected(listener: Listener, url: string): string {
  const found = match(listener, request(url));
  if (found.kind === "none") return "404";
  if (found.route.filters.some(({ kind }) => kind === "source")) return "403";
  const redirect = found.route.filters.find((filter) => filter.kind === "redirect");
  return redirect === undefined ? `200 ${found.route.backends[0]?.name}` : String(redirect.status);
}

function ask(port: number, url: string): Promise<string> {
  const { host, pathname } = { host: /^http:\/\/([^/]+)/.exec(url)?.[1] ?? "", pathname: url.replace(/^http:\/\/[^/]+/, "") };
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ host: "127.0.0.1", port, path: pathname, headers: { host }, agent: false }, (response) => {
      let text = "";
      response.on("data", (bytes: Buffer) => (text += bytes.toString()));
      response.on("end", () => resolve(response.statusCode === 200 ? `200 ${text}` : String(response.statusCode)));
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** The kernel's choice; free again when this is known. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function accepts(port: number): Promise<void> {
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => void (socket.destroy(), resolve(true)));
      socket.on("error", () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("nginx -t takes it, and nginx answers what the table says", { timeout: 120_000 }, async (ctx) => {
  if (nginx === undefined) return ctx.skip("needs nginx");
  if (!existsSync(file)) ctx.skip(`needs the shared case file ${file}`);
  const cases = caseIngresses();
  const listener = httpListener(processed({ ingresses: [...cases.ingresses, ...more] }));
  const names = new Set(listener.virtualHosts.flatMap(({ routes }) => routes.flatMap(({ backends }) => backends.map(({ name }) => name))));
  const servers = await Promise.all(
    [...names].map(async (name) => {
      const server = createServer((_, response) => void response.end(name));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return { name, server, port: (server.address() as AddressInfo).port };
    }),
  );
  const backends = new Map(
    servers.map(({ name, port }) => [`default/${name}:80`, { kind: "endpoints" as const, endpoints: [{ ip: "127.0.0.1", port }] }]),
  );
  const port = await freePort();
  const { text, refused } = renderNginx(listener, { listen: `127.0.0.1:${port}`, backends });
  expect(refused).toEqual([]);
  const config = join(directory, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join("\n");
  writeFileSync(
    config,
    `daemon off;\npid ${directory}/pid;\nerror_log ${directory}/error.log;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${text}}\n`,
  );
  const tested = await new Promise<string>((resolve) =>
    execFile(nginx, ["-t", "-c", config, "-p", directory], (error, _, stderr) => resolve(error === null ? "ok" : stderr)),
  );
  expect(tested).toBe("ok");
  const running = spawn(nginx, ["-c", config, "-p", directory], { stdio: "ignore" });
  try {
    await accepts(port);
    const urls = [...cases.urls, ...moreUrls];
    const answers = await Promise.all(urls.map(async (url) => `${url} ${await ask(port, url)}`));
    expect(answers).toEqual(urls.map((url) => `${url} ${expected(listener, url)}`));
    expect(urls.length).toBeGreaterThan(25);
  } finally {
    running.kill("SIGTERM");
    await new Promise((resolve) => running.once("exit", resolve));
    for (const { server } of servers) server.close();
  }
});
