/** One call of a webhook: an AdmissionReview by HTTPS, its answer checked (apiserver `pkg/util/webhook`, `pkg/admission/plugin/webhook/request`). */
import { randomUUID } from "node:crypto";
import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import type { AdmissionregistrationWebhookClientConfig, Status } from "../../api/types.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { AdmissionRequest } from "./admission.ts";
import { reviewRequest } from "./review-request.ts";

/** Opens a connection to a port of a Service; rejects with an Error that says why not. */
export type ServiceDialer = (namespace: string, name: string, port: number) => Promise<Duplex>;

export interface WebhookCall {
  readonly clientConfig: AdmissionregistrationWebhookClientConfig;
  readonly admissionReviewVersions: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
  readonly request: AdmissionRequest;
  readonly dial: ServiceDialer;
}

export interface WebhookAnswer {
  readonly allowed: boolean;
  readonly status: Partial<Status>;
  /** A JSON patch. */
  readonly patch: unknown;
  readonly warnings: readonly string[];
}

/** More is no answer but an attack. */
const maxAnswer = 16 * 1024 * 1024;

/** Throws an Error that says what went wrong; whether that matters is the webhook's failure policy. */
export async function callWebhook(call: WebhookCall): Promise<WebhookAnswer> {
  const version = call.admissionReviewVersions.find((one) => one === "v1" || one === "v1beta1");
  if (version === undefined) throw new Error("the webhook does not accept v1 or v1beta1 AdmissionReview");
  const uid = randomUUID();
  const apiVersion = `admission.k8s.io/${version}`;
  const body = JSON.stringify({ kind: "AdmissionReview", apiVersion, request: reviewRequest(call.request, uid) });
  const text = await post(call, body);
  return readAnswer(text, uid, apiVersion);
}

function readAnswer(text: string, uid: string, apiVersion: string): WebhookAnswer {
  let review: { readonly kind?: unknown; readonly apiVersion?: unknown; readonly response?: Readonly<Record<string, unknown>> };
  try {
    review = JSON.parse(text) as typeof review;
  } catch (error) {
    throw new Error(`received invalid webhook response: ${errorMessage(error)}`, { cause: error });
  }
  const { response } = review ?? {};
  if (typeof response !== "object" || response === null) throw new Error("webhook response was absent");
  if (review.kind !== "AdmissionReview" || review.apiVersion !== apiVersion)
    throw new Error(`received invalid webhook response: expected webhook response of ${apiVersion}, Kind=AdmissionReview`);
  if (response["uid"] !== uid) throw new Error(`received invalid webhook response: expected response.uid=${JSON.stringify(uid)}`);
  const { allowed, status, patch, patchType, warnings } = response;
  if (patch !== undefined && patch !== null && patchType !== "JSONPatch")
    throw new Error(`received invalid webhook response: response.patchType must be JSONPatch, got ${JSON.stringify(patchType)}`);
  return {
    allowed: allowed === true,
    status: (typeof status === "object" && status !== null ? status : {}) as Partial<Status>,
    patch: typeof patch === "string" && patch !== "" ? readPatch(patch) : undefined,
    warnings: Array.isArray(warnings) ? warnings.filter((one): one is string => typeof one === "string").slice(0, 100) : [],
  };
}

function readPatch(base64: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64, "base64").toString("utf8")) as unknown;
  } catch (error) {
    throw new Error(`received undecodable patch: ${errorMessage(error)}`, { cause: error });
  }
}

interface Target {
  readonly host: string;
  readonly path: string;
  readonly connect: () => Promise<Duplex>;
}

/** The certificate is checked against `caBundle`, or the system's authorities where there is none. */
function targetOf({ clientConfig: { url, service, caBundle }, dial }: WebhookCall): Target {
  const ca = caBundle === undefined || caBundle === "" ? {} : { ca: Buffer.from(caBundle, "base64").toString("utf8") };
  if (service !== undefined) {
    const { name, namespace, path = "/", port = 443 } = service;
    const host = `${name}.${namespace}.svc`;
    return { host: `${host}:${port}`, path, connect: async () => secured(await dial(namespace, name, port), { ...ca, servername: host }) };
  }
  const { hostname, port, pathname, host } = new URL(url ?? "");
  const where = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443) };
  const servername = /^[\d.]+$|:/.test(where.host) ? {} : { servername: where.host };
  return { host, path: pathname, connect: async () => secured(undefined, { ...ca, ...where, ...servername }) };
}

function secured(socket: Duplex | undefined, options: object): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const connection = tlsConnect({ ...options, ...(socket === undefined ? {} : { socket }), ALPNProtocols: ["http/1.1"] });
    connection.once("secureConnect", () => resolve(connection));
    connection.once("error", (error) => {
      socket?.destroy();
      reject(error);
    });
  });
}

async function post(call: WebhookCall, body: string): Promise<string> {
  const target = targetOf(call);
  const seconds = call.timeout / 1000;
  let connection: Duplex | undefined;
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late = true;
      connection?.destroy();
      reject(new Error(`no answer within ${seconds} seconds: context deadline exceeded`));
    }, call.timeout);
  });
  const answered = (async () => {
    connection = await target.connect();
    if (late) connection.destroy();
    return exchange(connection, target, body);
  })();
  answered.catch(() => undefined); // told where it is awaited, unless time is up
  try {
    return await Promise.race([answered, expired]);
  } finally {
    clearTimeout(timer);
    connection?.destroy();
  }
}

function exchange(connection: Duplex, { host, path }: Target, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      host,
      "content-type": "application/json",
      accept: "application/json",
      "content-length": Buffer.byteLength(body),
      connection: "close",
    };
    const sent = httpsRequest({ createConnection: () => connection as never, method: "POST", path, headers });
    sent.on("error", reject);
    sent.on("response", (answer) => {
      readAll(answer).then((text) => {
        const status = answer.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve(text);
        else reject(new Error(`the server answered ${status}: ${text.slice(0, 200)}`));
      }, reject);
    });
    sent.end(body);
  });
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswer) throw new Error(`the answer is longer than ${maxAnswer} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
