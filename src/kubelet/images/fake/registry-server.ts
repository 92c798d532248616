/** A registry for tests (OCI distribution-spec v1.1 "Pull"), with the answers that real ones give: tokens, passwords, redirects, faults. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BuiltImage } from "./image-builder.ts";

export interface RegistryServerOptions {
  /** `team/app:1` → image */
  readonly images: Readonly<Record<string, BuiltImage>>;
  /** `none`: anybody; `token`: whoever has been at the token's address; `basic`: by password. */
  readonly auth?: "none" | "token" | "basic";
  /** `name:password` of who may have tokens, or is let in. Absent: everybody gets a token. */
  readonly password?: string;
  /** Blobs are elsewhere: at another port of this machine. */
  readonly redirectBlobs?: boolean;
  /** Another answer in the place of the right one. */
  readonly fault?: (
    path: string,
  ) => { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> } | undefined;
}

export interface RegistryServer {
  /** `127.0.0.1:39021` */
  readonly host: string;
  readonly requests: readonly {
    readonly method: string;
    readonly path: string;
    readonly host: string;
    readonly authorization: string | undefined;
  }[];
  close(): Promise<void>;
}

const token = "a.b.c";

export async function startRegistry(options: RegistryServerOptions): Promise<RegistryServer> {
  const requests: { method: string; path: string; host: string; authorization: string | undefined }[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { method = "", url = "", headers } = request;
    requests.push({ method, path: url, host: headers.host ?? "", authorization: headers.authorization });
    respond(options, elsewhere, request, response);
  };
  const store = options.redirectBlobs === true ? await listening(answer) : undefined;
  const elsewhere = store === undefined ? undefined : `127.0.0.1:${store.port}`;
  const main = await listening(answer);
  return {
    host: `127.0.0.1:${main.port}`,
    requests,
    close: async () => void (await Promise.all([main.close(), store?.close()])),
  };
}

async function listening(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port: (server.address() as AddressInfo).port, close };
}

function respond(options: RegistryServerOptions, elsewhere: string | undefined, request: IncomingMessage, response: ServerResponse): void {
  const { url = "", headers } = request;
  const { pathname } = new URL(url, "http://registry");
  const end = (status: number, body: string | Buffer = "", more: Record<string, string> = {}) =>
    void response.writeHead(status, more).end(body);
  const fault = options.fault?.(pathname);
  if (fault !== undefined) return end(fault.status, fault.body, fault.headers);
  if (pathname === "/token") return isKnown(options, headers.authorization) ? end(200, JSON.stringify({ token })) : end(401);
  if (pathname.startsWith("/elsewhere/")) return blob(options, pathname.replace("/elsewhere/", ""), end);
  if (!isAllowed(options, headers.authorization)) return end(401, "", { "www-authenticate": challenge(options, headers.host ?? "") });
  const [, repository = "", kind, name = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? [];
  if (kind === "blobs" && elsewhere !== undefined) return end(307, "", { location: `http://${elsewhere}/elsewhere/${name}` });
  if (kind === "blobs") return blob(options, name, end);
  const image = options.images[`${repository}:${name}`] ?? Object.values(options.images).find(({ blobs }) => blobs.has(name));
  const digest = name.startsWith("sha256:") ? name : image?.top.digest;
  const content = image?.blobs.get(digest ?? "");
  if (kind !== "manifests" || content === undefined) return end(404, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
  end(200, content, {
    "content-type": (JSON.parse(content.toString()) as { mediaType?: string }).mediaType ?? "application/vnd.oci.image.index.v1+json",
  });
}

function blob({ images }: RegistryServerOptions, digest: string, end: (status: number, body?: string | Buffer) => void): void {
  const content = Object.values(images)
    .map(({ blobs }) => blobs.get(digest))
    .find((found) => found !== undefined);
  return content === undefined ? end(404) : end(200, content);
}

function isKnown({ password }: RegistryServerOptions, authorization: string | undefined): boolean {
  return password === undefined || authorization === `Basic ${Buffer.from(password).toString("base64")}`;
}

function isAllowed(options: RegistryServerOptions, authorization: string | undefined): boolean {
  const { auth = "none" } = options;
  if (auth === "basic") return isKnown(options, authorization);
  return auth === "none" || authorization === `Bearer ${token}`;
}

function challenge({ auth }: RegistryServerOptions, host: string): string {
  return auth === "basic" ? 'Basic realm="registry"' : `Bearer realm="http://${host}/token",service="tests",scope="repository:any:pull"`;
}
