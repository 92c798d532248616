/** Requests at a steady rate from a pod, each on a connection of its own and none tried again; and what became of them. */
import type { PodClient } from "./pod-client.ts";

export interface Failure {
  /** When the request began, in milliseconds since the epoch. */
  readonly at: number;
  /** `ECONNREFUSED`, `timeout`, `status 502` */
  readonly error: string;
}

export interface Outcomes {
  readonly sent: number;
  readonly answered: number;
  readonly failures: readonly Failure[];
  /** Who answered how often: the first line of each answer. */
  readonly by: Readonly<Record<string, number>>;
  /** Requests per second that were really begun. */
  readonly rate: number;
}

const limitMs = 4000;

/**
 * Begins with the first request that is answered, so that nothing counts before the Service is there; `GET /` at port 9000 of the pod
 * tells the outcomes so far. A request that is due is begun, however many are still under way: a slow answer slows nobody.
 */
const program = `
const http = require("node:http"), [url, rate] = [process.env.TARGET, Number(process.env.RATE)];
const state = { sent: 0, answered: 0, failures: [], by: {}, began: 0, under: 0 };
const ask = () => new Promise((resolve) => {
  let text = "";
  const request = http.get(url, { agent: false, timeout: ${limitMs} }, (response) => {
    response.on("data", (chunk) => (text += chunk));
    response.on("end", () => resolve(response.statusCode === 200 ? { by: text.split("\\n")[0] } : { error: "status " + response.statusCode }));
    response.on("error", ({ code, message }) => resolve({ error: code ?? message }));
  });
  request.on("timeout", () => request.destroy(Object.assign(new Error(), { code: "timeout" })));
  request.on("error", ({ code, message }) => resolve({ error: code ?? message }));
});
const one = async () => {
  const at = Date.now();
  state.sent++;
  state.under++;
  const { by, error } = await ask();
  state.under--;
  if (error !== undefined) state.failures.push({ at, error });
  else { state.answered++; state.by[by] = (state.by[by] ?? 0) + 1; }
};
(async () => {
  while ((await ask()).error !== undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  state.began = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - state.began) / 1000) * rate);
    while (state.sent < due && !state.ending) void one();
  }, 2);
  http.createServer(async (request, response) => {
    if (request.url === "/stop") {
      state.ending = true;
      while (state.under > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { began, under, ending, ...rest } = state;
    response.end(JSON.stringify({ ...rest, rate: Math.round((state.sent / (performance.now() - began)) * 1000) }));
    if (ending) clearInterval(timer);
  }).listen(9000, "127.0.0.1");
})();
process.on("SIGTERM", () => process.exit(0));
`;

/** The pod `load` in namespace `default`. `url`: as pods reach the Service. */
export function loadPod(url: string, rate: number, node?: string): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "load" },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...(node === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": node } }),
      containers: [
        {
          name: "load",
          image: "node:26",
          command: ["node", "-e", program],
          env: [
            { name: "TARGET", value: url },
            { name: "RATE", value: String(rate) },
            // Its connections are its own, in loopback mode as well.
            { name: "NODE_USE_ENV_PROXY", value: "" },
          ],
          // Ready as soon as the first answer has come.
          readinessProbe: { exec: { command: ["node", "-e", tell("/")] }, periodSeconds: 1, timeoutSeconds: 20 },
        },
      ],
    },
  };
}

function tell(path: string): string {
  return `require("node:http").get("http://127.0.0.1:9000${path}", (r) => r.statusCode === 200 ? r.pipe(process.stdout) : process.exit(1)).on("error", () => process.exit(1))`;
}

export async function outcomesSoFar(pods: PodClient): Promise<Outcomes> {
  return JSON.parse(await pods.exec("default", "load", ["node", "-e", tell("/")])) as Outcomes;
}

/** Waits for the requests under way. */
export async function stopLoad(pods: PodClient): Promise<Outcomes> {
  return JSON.parse(await pods.exec("default", "load", ["node", "-e", tell("/stop")])) as Outcomes;
}
