/**
 * Webhooks: operators that change or refuse what is written (KEP-492, apiserver `pkg/admission/plugin/webhook`). Mutating ones are called
 * one after the other, by the names of their configurations; validating ones all at once.
 */
import { decodeObject } from "../../api/decode.ts";
import type { Draft, KubeObject } from "../../api/object.ts";
import { omitEmpty } from "../../api/omit-empty.ts";
import { applyPatch } from "../../api/patch/index.ts";
import { mutatingWebhookConfigurations, namespaces, validatingWebhookConfigurations, type Resource } from "../../api/resources.ts";
import { badRequestError, forbiddenError, internalError, StatusError } from "../../api/status.ts";
import type { MutatingWebhook, ValidatingWebhook } from "../../api/types.ts";
import { requestVariables } from "../../api/validation/admission-registration.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Store } from "../store.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import { celContext, conditionsHold } from "./expressions.ts";
import { isExempt, matchesRule, matchesSelectors } from "./matching.ts";
import { reviewRequest } from "./review-request.ts";
import type { ServiceDialer, WebhookAnswer } from "./webhook-call.ts";

export interface WebhooksOptions {
  readonly store: Pick<Store, "resource">;
  readonly dial: ServiceDialer;
  readonly log: Logger;
}

type Webhook = ValidatingWebhook & Partial<Pick<MutatingWebhook, "reinvocationPolicy">>;

export function mutatingWebhooks(options: WebhooksOptions): AdmissionPlugin {
  const current = configured(options, mutatingWebhookConfigurations);
  return {
    name: "MutatingAdmissionWebhook",
    admit(request) {
      // What is deleted cannot be changed, and a webhook that wants to refuse it is a validating one.
      if (request.operation === "DELETE") return;
      const all = current();
      return all.length === 0 || isExempt(request) ? undefined : mutate(all, request, options);
    },
  };
}

export function validatingWebhooks(options: WebhooksOptions): AdmissionPlugin {
  const current = configured(options, validatingWebhookConfigurations);
  return {
    name: "ValidatingAdmissionWebhook",
    validate(request) {
      const all = current();
      return all.length === 0 || isExempt(request) ? undefined : judge(all, request, options);
    },
  };
}

/** The webhooks of all configurations in the order of names, read again when one changes. */
function configured({ store }: WebhooksOptions, resource: Resource): () => readonly Webhook[] {
  const stored = store.resource(resource);
  let known = -1;
  let all: readonly Webhook[] = [];
  return () => {
    if (known !== stored.changed) {
      known = stored.changed;
      all = stored.items().flatMap((item) => (item.object() as { readonly webhooks?: readonly Webhook[] }).webhooks ?? []);
    }
    return all;
  };
}

/** Throws 403 and 500 where a condition cannot be evaluated and the webhook's policy is to fail. */
function isAbout(webhook: Webhook, request: AdmissionRequest, { store }: WebhooksOptions): boolean {
  const equivalent = webhook.matchPolicy !== "Exact";
  if (!(webhook.rules ?? []).some((rule) => matchesRule(rule, request, equivalent))) return false;
  const namespace = request.namespace === undefined ? undefined : store.resource(namespaces).get(request.namespace)?.object();
  if (!matchesSelectors(webhook, request, namespace?.metadata.labels)) return false;
  const { matchConditions = [] } = webhook;
  if (matchConditions.length === 0) return true;
  const { object, oldObject, ...rest } = reviewRequest(request, "");
  const verdict = conditionsHold(matchConditions, requestVariables, celContext({ object, oldObject, request: rest }));
  if (verdict.kind === "error" && webhook.failurePolicy !== "Ignore")
    throw forbiddenError(request.kind.resource, request.name, `webhook ${JSON.stringify(webhook.name)}: ${verdict.message}`);
  return verdict.kind === "yes";
}

/** Those that want to see what others changed after them are asked once more. */
async function mutate(all: readonly Webhook[], request: AdmissionRequest, options: WebhooksOptions): Promise<void> {
  const again: Webhook[] = [];
  const done: Webhook[] = [];
  for (const webhook of all) {
    if (!isAbout(webhook, request, options)) continue;
    if (await mutateOnce(webhook, request, options))
      again.push(...done.filter((one) => one.reinvocationPolicy === "IfNeeded" && !again.includes(one)));
    done.push(webhook);
  }
  for (const webhook of again) if (isAbout(webhook, request, options)) await mutateOnce(webhook, request, options);
}

/** Whether it changed anything. */
async function mutateOnce(webhook: Webhook, request: AdmissionRequest, options: WebhooksOptions): Promise<boolean> {
  const answer = await asked(webhook, request, options);
  if (answer?.patch === undefined) return false;
  const { kind } = request;
  const object = request.object as unknown as Draft<KubeObject>;
  const before = JSON.stringify(object);
  const patched = applyPatch(object as KubeObject, answer.patch, "application/json-patch+json", kind.definition);
  replace(object, decodeObject(kind, patched, "Ignore").object);
  if (kind.custom !== true) omitEmpty(object, kind.definition);
  kind.applyDefaults?.(object);
  return JSON.stringify(object) !== before;
}

/** In place: others hold the same object. */
function replace(object: Draft<KubeObject>, next: Draft<KubeObject>): void {
  for (const key of Object.keys(object)) delete (object as unknown as Record<string, unknown>)[key];
  Object.assign(object, next);
}

async function judge(all: readonly Webhook[], request: AdmissionRequest, options: WebhooksOptions): Promise<void> {
  const about = all.filter((webhook) => isAbout(webhook, request, options));
  const outcomes = await Promise.allSettled(about.map((webhook) => asked(webhook, request, options)));
  const refused = outcomes.find((outcome) => outcome.status === "rejected");
  if (refused !== undefined) throw refused.reason;
}

/** Undefined: it could not be asked, and may be passed over. Throws what it refuses with. */
async function asked(webhook: Webhook, request: AdmissionRequest, { dial, log }: WebhooksOptions): Promise<WebhookAnswer | undefined> {
  const { name, failurePolicy, timeoutSeconds = 10 } = webhook;
  if (request.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun")
    throw badRequestError(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  let answer: WebhookAnswer;
  try {
    const { callWebhook } = await import("./webhook-call.ts");
    const { clientConfig, admissionReviewVersions = [] } = webhook;
    answer = await callWebhook({ clientConfig, admissionReviewVersions, timeout: timeoutSeconds * 1000, request, dial });
  } catch (error) {
    const why = `failed calling webhook ${JSON.stringify(name)}: ${errorMessage(error)}`;
    if (failurePolicy !== "Ignore") throw internalError(why);
    log.warn(why, { policy: "Ignore" });
    return undefined;
  }
  for (const warning of answer.warnings) request.warn(warning);
  if (!answer.allowed) throw refusal(name, answer);
  return answer;
}

/** With the code and reason that the webhook gives, where they are a refusal's. */
function refusal(name: string, { status }: WebhookAnswer): StatusError {
  const { message = "", reason, code = 0, details } = status;
  const head = `admission webhook ${JSON.stringify(name)} denied the request`;
  const text =
    message !== "" ? `${head}: ${message}` : reason !== undefined && reason !== "" ? `${head}: ${reason}` : `${head} without explanation`;
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: text,
    reason: reason ?? (code === 0 || code === 403 ? "Forbidden" : ""),
    ...(details === undefined ? {} : { details }),
    code: code >= 400 && code <= 599 ? code : 403,
  });
}
