/** An nginx of one process with everything it writes below a directory of its own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChildProcess } from "node:child_process";
import { startOn } from "./pinned.ts";

export interface NginxOptions {
  readonly core: string;
  readonly directory: string;
  readonly name: string;
  /** Inside `http { }`. */
  readonly http?: string;
  /** Inside `stream { }`; needs Debian's libnginx-mod-stream. */
  readonly stream?: string;
}

export const streamModule = "/usr/lib/nginx/modules/ngx_stream_module.so";

export function startNginx({ core, directory, name, http, stream }: NginxOptions): ChildProcess {
  const file = join(directory, `${name}.conf`);
  const own = join(directory, name);
  mkdirSync(own, { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) => `${each}_temp_path ${own}/${each};`).join(" ");
  const blocks = [
    http === undefined ? "" : `http { access_log off; keepalive_requests 100000000; ${temporary} proxy_buffering on; ${http} }`,
    stream === undefined ? "" : `stream { ${stream} }`,
  ].join(" ");
  writeFileSync(
    file,
    `${stream === undefined ? "" : `load_module ${streamModule};`} daemon off; master_process off; worker_processes 1; pid ${own}/pid; error_log /dev/null; events { worker_connections 16384; } ${blocks}`,
  );
  return startOn(core, "nginx", "-c", file, "-e", "/dev/null");
}
