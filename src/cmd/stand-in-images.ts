/**
 * Images that manifests name all the time, and what runs in their place on a node that pulls none: small servers of ours with
 * the pages that those images are known for. Each says in an Event that it is not the real thing.
 */
import type { ImageEntry } from "../kubelet/runtime/process/images.ts";

/** Written out by `toString` and run by `node -e`: nothing outside of the functions may be named in them. */
function demoapp(): void {
  const http = process.getBuiltinModule("node:http");
  const plain = (address = "") => address.replace(/^::ffff:/, "");
  const pages: Readonly<Record<string, (request: import("node:http").IncomingMessage) => string>> = {
    "/": ({ socket }) =>
      `iKubernetes demoapp v1.0 !! ClientIP: ${plain(socket.remoteAddress)}, ServerName: ${process.env["HOSTNAME"]}, ServerIP: ${plain(socket.localAddress)}!\n`,
    "/hostname": () => `ServerName: ${process.env["HOSTNAME"]}\n`,
    "/user-agent": ({ headers }) => `User-Agent: ${headers["user-agent"] ?? ""}\n`,
    "/livez": () => "OK\n",
    "/readyz": () => "OK\n",
  };
  const server = http.createServer((request, response) => {
    const page = pages[(request.url ?? "/").split("?")[0] as string];
    response.writeHead(page === undefined ? 404 : 200, { "content-type": "text/plain" }).end(page?.(request) ?? "404 Not Found\n");
  });
  server.listen(Number(process.env["PORT"] ?? 80), process.env["HOST"]);
  process.on("SIGTERM", () => process.exit(0));
}

function welcome(): void {
  const [http, fs, path] = [
    process.getBuiltinModule("node:http"),
    process.getBuiltinModule("node:fs"),
    process.getBuiltinModule("node:path"),
  ];
  const root = `${process.env["POD_ROOT"] ?? ""}/usr/share/nginx/html`;
  const page =
    "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n<h1>Welcome to nginx!</h1>\n<p>This is Fairlead's stand-in for the image nginx: it serves files of /usr/share/nginx/html, and this page.</p>\n</body>\n</html>\n";
  const types: Readonly<Record<string, string>> = {
    ".html": "text/html",
    ".txt": "text/plain",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
  };
  const server = http.createServer((request, response) => {
    const asked = path.posix.normalize(decodeURIComponent((request.url ?? "/").split("?")[0] as string));
    const file = path.join(root, asked.endsWith("/") ? `${asked}index.html` : asked);
    const log = (status: number) =>
      console.log(
        `${(request.socket.remoteAddress ?? "-").replace(/^::ffff:/, "")} - - "${request.method} ${request.url} HTTP/${request.httpVersion}" ${status}`,
      );
    fs.readFile(file, (error, content) => {
      const isWelcome = error !== null && (asked === "/" || asked === "/index.html");
      const status = error === null || isWelcome ? 200 : 404;
      log(status);
      response.writeHead(status, {
        server: "nginx (fairlead stand-in)",
        "content-type": isWelcome ? "text/html" : (types[path.extname(file)] ?? "application/octet-stream"),
      });
      response.end(error === null ? content : isWelcome ? page : "404 Not Found\n");
    });
  });
  server.on("clientError", (_, socket) => socket.destroy());
  server.listen(80, process.env["HOST"]);
  process.on("SIGTERM", () => process.exit(0));
  process.on("SIGQUIT", () => server.close(() => process.exit(0)));
}

const program = (main: () => void) => ["node", "-e", `(${main.toString()})()`];

/** `node`: the directory of the Node that runs them. */
export function standInImages(node: string): readonly ImageEntry[] {
  const shell = (repositories: readonly string[], cmd: readonly string[]): ImageEntry => ({
    repositories,
    entrypoint: [],
    cmd,
    env: {},
    path: [],
  });
  const note = (what: string) => `${what}: a small server of Fairlead's runs in its place`;
  return [
    {
      repositories: ["ikubernetes/demoapp"],
      entrypoint: program(demoapp),
      cmd: [],
      env: {},
      path: [node],
      note: note("this node has no image ikubernetes/demoapp"),
    },
    {
      repositories: ["nginx", "registry.k8s.io/e2e-test-images/nginx"],
      entrypoint: program(welcome),
      cmd: [],
      env: {},
      path: [node],
      note: note("this node has no image nginx"),
    },
    shell(["centos", "rockylinux", "fedora", "ikubernetes/admin-box", "ikubernetes/myapp-tools"], ["bash"]),
  ];
}
