/** Admission by others (admissionregistration.k8s.io/v1): webhooks, and policies with their bindings. */
import type { Draft, KubeObject } from "../object.ts";
import {
  mutatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "../resources.ts";
import type {
  MatchResources,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "../types.ts";
import { validatePolicy, validatePolicyBinding, validateWebhooks } from "../validation/admission-registration.ts";
import { ageColumn, defineKind, integer, nameColumn, orNone, text } from "./define.ts";

const names = (kind: string) => ({ definition: kind, singular: kind.toLowerCase(), categories: ["api-extensions"] });

const shared = { shortNames: [], subresources: [], nameRule: "dns1123Subdomain", conditionalUpdate: true } as const;

function defaultWebhook(webhook: Draft<MutatingWebhook>): void {
  webhook.failurePolicy ??= "Fail";
  webhook.matchPolicy ??= "Equivalent";
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  for (const rule of webhook.rules ?? []) rule.scope ??= "*";
  const { service } = webhook.clientConfig ?? {};
  if (service !== undefined) service.port ??= 443;
}

type Webhooks = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

const webhookColumns = [
  nameColumn,
  integer<Webhooks>("Webhooks", "How many it has.", ({ webhooks = [] }) => webhooks.length),
  ageColumn,
] as const;

/** A change of what it does is a new generation; there is no status to tell it from. */
const counted = {
  prepareForCreate: (object: Draft<KubeObject>) => {
    object.metadata.generation = 1;
  },
  prepareForUpdate: (object: Draft<KubeObject>, old: KubeObject) => {
    const part = (of: object) => {
      const { metadata: _, ...rest } = of as KubeObject;
      return JSON.stringify(rest);
    };
    object.metadata.generation = (old.metadata.generation ?? 1) + (part(object) === part(old) ? 0 : 1);
  },
};

export const validatingWebhookConfigurationKind = defineKind<ValidatingWebhookConfiguration>({
  ...names("ValidatingWebhookConfiguration"),
  ...shared,
  ...counted,
  resource: validatingWebhookConfigurations,
  applyDefaults: ({ webhooks = [] }) => webhooks.forEach((webhook) => defaultWebhook(webhook as Draft<MutatingWebhook>)),
  validate: (configuration) => validateWebhooks(configuration),
  columns: [...webhookColumns],
});

export const mutatingWebhookConfigurationKind = defineKind<MutatingWebhookConfiguration>({
  ...names("MutatingWebhookConfiguration"),
  ...shared,
  ...counted,
  resource: mutatingWebhookConfigurations,
  applyDefaults: ({ webhooks = [] }) =>
    webhooks.forEach((webhook) => {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= "Never";
    }),
  validate: (configuration) => validateWebhooks(configuration),
  columns: [...webhookColumns],
});

function defaultMatch(match: Draft<MatchResources> | undefined): void {
  if (match === undefined) return;
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= "*";
}

export const validatingAdmissionPolicyKind = defineKind<ValidatingAdmissionPolicy>({
  ...names("ValidatingAdmissionPolicy"),
  ...shared,
  subresources: ["status"],
  resource: validatingAdmissionPolicies,
  applyDefaults: ({ spec }) => {
    if (spec === undefined) return;
    spec.failurePolicy ??= "Fail";
    defaultMatch(spec.matchConstraints as Draft<MatchResources> | undefined);
  },
  validate: (policy) => validatePolicy(policy),
  columns: [
    nameColumn,
    integer("Validations", "How many it has.", ({ spec }) => spec?.validations?.length ?? 0),
    text("ParamKind", "The kind of its parameters.", ({ spec }) =>
      spec?.paramKind === undefined ? "<unset>" : `${spec.paramKind.apiVersion}/${spec.paramKind.kind}`,
    ),
    ageColumn,
  ],
});

export const validatingAdmissionPolicyBindingKind = defineKind<ValidatingAdmissionPolicyBinding>({
  ...names("ValidatingAdmissionPolicyBinding"),
  ...shared,
  ...counted,
  resource: validatingAdmissionPolicyBindings,
  applyDefaults: ({ spec }) => defaultMatch(spec?.matchResources as Draft<MatchResources> | undefined),
  validate: (binding) => validatePolicyBinding(binding),
  columns: [
    nameColumn,
    text("PolicyName", "The policy that it puts to work.", ({ spec }) => spec?.policyName ?? ""),
    text("ParamRef", "The policy's parameters.", ({ spec }) => {
      const { name, namespace = "", selector } = spec?.paramRef ?? {};
      if (selector !== undefined) return "<selector>";
      return name === undefined ? "<unset>" : orNone(namespace === "" ? name : `${namespace}/${name}`);
    }),
    ageColumn,
  ],
});
