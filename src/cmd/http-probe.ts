/**
 * A client that runs inside a pod: `http-probe URL COUNT`. Sends COUNT requests, each on a connection of its own, and
 * prints one JSON line per answer: `{ "status": 200, "body": "…", "milliseconds": 1.2 }` or `{ "error": "ECONNREFUSED" }`.
 */
import { request } from "node:http";

interface Answer {
  readonly status?: number;
  readonly body?: string;
  readonly error?: string;
  readonly milliseconds: number;
}

const [url = "", count = "1"] = process.argv.slice(2);
const timeout = 2000;
const maxBody = 4096;

function ask(): Promise<Answer> {
  const began = performance.now();
  const took = () => Math.round((performance.now() - began) * 10) / 10;
  return new Promise((resolve) => {
    const outgoing = request(url, { agent: false, timeout }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        if (body.length < maxBody) body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: body.slice(0, maxBody), milliseconds: took() }));
    });
    outgoing.on("timeout", () => outgoing.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })));
    outgoing.on("error", (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message, milliseconds: took() }));
    outgoing.end();
  });
}

for (let i = 0; i < Number(count); i++) process.stdout.write(`${JSON.stringify(await ask())}\n`);
