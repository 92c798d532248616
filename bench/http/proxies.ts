/** The gateway and those that it is measured against, each with one core, before the same two backends on another core. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocalAuthority } from "../../src/gateway/local-authority.ts";
import { accepts, freePort } from "../../test/support/ports.ts";
import { startNginx } from "../support/nginx.ts";
import { bundleServed } from "./bundled.ts";
import { has, loadCore, proxyCore, startOn, startServed } from "../support/pinned.ts";

export const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));

/** Where requests go, and where upgraded connections do (`/socket`). */
interface Backends {
  readonly web: number;
  readonly echo: number;
}

export interface Proxy {
  readonly name: string;
  readonly http: number;
  readonly https: number;
  readonly pid: () => number;
}

export async function startAll(): Promise<readonly Proxy[]> {
  const backend = await freePort();
  const answer = "x".repeat(192);
  writeFileSync(join(directory, "large"), Buffer.alloc(4 << 20, "y"));
  startNginx({
    core: loadCore,
    directory,
    name: "backend",
    http: `server { listen 127.0.0.1:${backend} backlog=4096; root ${directory}; location / { return 200 "${answer}"; } location /large { } }`,
  });
  await accepts(backend);
  const authority = await openLocalAuthority({ now: () => Date.now() });
  const { cert, key } = authority.certificateFor("bench.localhost");
  writeFileSync(join(directory, "cert.pem"), cert);
  writeFileSync(join(directory, "key.pem"), key, { mode: 0o600 });
  writeFileSync(join(directory, "both.pem"), cert + key, { mode: 0o600 });
  const { ports } = await startServed(loadCore, join(import.meta.dirname, "echo.ts"));
  const backends: Backends = { web: backend, echo: ports[0] as number };
  const served = await bundleServed(directory);
  const proxies = [await fairlead(served, backends, "thread"), await fairlead(served, backends, "node"), await nginxProxy(backends)];
  if (has("haproxy")) proxies.push(await haproxy(backends));
  return proxies;
}

/** `thread`: on an event loop of ours, as it is served. `node`: on Node's sockets, where there is no FFI. */
async function fairlead(file: string, { web, echo }: Backends, way: "thread" | "node"): Promise<Proxy> {
  const { child, ports } = await startServed(proxyCore, file, String(web), way, String(echo));
  const [http = 0, https = 0] = ports;
  return { name: way === "thread" ? "fairlead" : "on node", http, https, pid: () => child.pid as number };
}

async function nginxProxy({ web, echo }: Backends): Promise<Proxy> {
  const [http, https] = [await freePort(), await freePort()];
  // Older ones speak TLS 1.2 at most by default, whose resumed handshakes have no key exchange: half of the work.
  const tls = `ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem;`;
  const location = `location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; } location /socket { proxy_pass http://127.0.0.1:${echo}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }`;
  const child = startNginx({
    core: proxyCore,
    directory,
    name: "proxy",
    http: `upstream b { server 127.0.0.1:${web}; keepalive 64; } server { listen 127.0.0.1:${http} backlog=4096; listen 127.0.0.1:${https} ssl http2 backlog=4096; ${tls} ${location} }`,
  });
  await accepts(https);
  return { name: "nginx", http, https, pid: () => child.pid as number };
}

async function haproxy({ web, echo }: Backends): Promise<Proxy> {
  const [http, https] = [await freePort(), await freePort()];
  const file = join(directory, "haproxy.cfg");
  const binds = `bind 127.0.0.1:${http}\n bind 127.0.0.1:${https} ssl crt ${directory}/both.pem alpn h2,http/1.1`;
  writeFileSync(
    file,
    `global\n nbthread 1\n maxconn 4096\ndefaults\n mode http\n option forwardfor\n http-reuse always\n timeout client 60s\n timeout server 60s\n timeout connect 5s\nfrontend f\n ${binds}\n use_backend e if { path /socket }\n default_backend b\nbackend b\n server s 127.0.0.1:${web}\nbackend e\n server s 127.0.0.1:${echo}\n`,
  );
  const child = startOn(proxyCore as string, "haproxy", "-db", "-f", file);
  await accepts(https);
  return { name: "haproxy", http, https, pid: () => child.pid as number };
}
