/**
 * Which requests are written down, and how much of each: an `audit.k8s.io/v1` Policy (apiserver `pkg/audit/policy`). The first rule that
 * matches decides. Pure.
 */
import type { UserInfo } from "../../api/request.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { RequestInfo } from "../request-info.ts";

export type AuditLevel = "None" | "Metadata" | "Request" | "RequestResponse";
export type AuditStage = "RequestReceived" | "ResponseStarted" | "ResponseComplete";

export interface AuditRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly {
    readonly group?: string;
    // `pods`, `pods/log`, `pods/*`, `*`, a star for any resource before a subresource; none: all of the group.
    readonly resources?: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
  /** Empty text: what is of no namespace. */
  readonly namespaces?: readonly string[];
  /** `/healthz*` */
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

const levels: readonly string[] = ["None", "Metadata", "Request", "RequestResponse"];
const stages: readonly string[] = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];
const ruleFields: ReadonlySet<string> = new Set([
  ...["level", "users", "userGroups", "verbs", "resources", "namespaces"],
  ...["nonResourceURLs", "omitStages", "omitManagedFields"],
]);

const isList = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) && value.every((item) => typeof item === "string"));

/** Reads a policy file's content. Throws FL_CONFIG with the first fault: a policy that is half understood writes down too little. */
export function readAuditPolicy(raw: unknown): AuditPolicy {
  const { apiVersion, kind, rules, omitStages, omitManagedFields } = (raw ?? {}) as Readonly<Record<string, unknown>>;
  if (apiVersion !== "audit.k8s.io/v1" || kind !== "Policy") throw fault("it is no Policy of audit.k8s.io/v1");
  if (!Array.isArray(rules) || rules.length === 0) throw fault("rules: at least one is needed");
  rules.forEach(checkRule);
  checkStages(omitStages, "omitStages");
  return {
    rules: rules as AuditRule[],
    ...(omitStages === undefined ? {} : { omitStages: omitStages as AuditStage[] }),
    ...(omitManagedFields === undefined ? {} : { omitManagedFields: omitManagedFields === true }),
  };
}

function checkRule(rule: unknown, index: number): void {
  const at = `rules[${index}]`;
  if (typeof rule !== "object" || rule === null) throw fault(`${at}: not a rule`);
  const fields = rule as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(fields)) if (!ruleFields.has(name)) throw fault(`${at}.${name}: no such field`);
  if (!levels.includes(fields["level"] as string)) throw fault(`${at}.level: one of ${levels.join(", ")}`);
  for (const name of ["users", "userGroups", "verbs", "namespaces", "nonResourceURLs"])
    if (!isList(fields[name])) throw fault(`${at}.${name}: a list of texts`);
  checkStages(fields["omitStages"], `${at}.omitStages`);
  const { resources } = fields;
  if (resources !== undefined && !(Array.isArray(resources) && resources.every(isGroupOfResources)))
    throw fault(`${at}.resources: a list of groups with resources and resourceNames`);
  if (resources !== undefined && fields["nonResourceURLs"] !== undefined)
    throw fault(`${at}: rules cannot apply to both resources and non-resource URLs`);
}

function isGroupOfResources(item: unknown): boolean {
  if (typeof item !== "object" || item === null) return false;
  const { group, resources, resourceNames } = item as Readonly<Record<string, unknown>>;
  return (group === undefined || typeof group === "string") && isList(resources) && isList(resourceNames);
}

function checkStages(value: unknown, at: string): void {
  if (!isList(value) || ((value as string[] | undefined) ?? []).some((stage) => !stages.includes(stage)))
    throw fault(`${at}: a list of ${stages.join(", ")}`);
}

const fault = (why: string) => new FairleadError("FL_CONFIG", `the audit policy cannot be used: ${why}`);

/** What nobody has a rule for is not written down. */
export function auditDecision(policy: AuditPolicy, user: UserInfo, info: RequestInfo): AuditDecision {
  const rule = policy.rules.find((one) => matches(one, user, info));
  return {
    level: rule?.level ?? "None",
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule?.omitStages ?? [])]),
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

const some = (list: readonly string[] | undefined, value: string): boolean =>
  list === undefined || list.length === 0 || list.includes(value);

function matches(rule: AuditRule, user: UserInfo, info: RequestInfo): boolean {
  const { users, userGroups = [], verbs, resources = [], namespaces = [], nonResourceURLs = [] } = rule;
  if (!some(users, user.name) || !some(verbs, info.verb)) return false;
  if (userGroups.length > 0 && !user.groups.some((group) => userGroups.includes(group))) return false;
  if (info.kind === "resource") {
    if (nonResourceURLs.length > 0) return false;
    if (namespaces.length > 0 && !namespaces.includes(info.namespace ?? "")) return false;
    return resources.length === 0 || resources.some((one) => matchesResource(one, info));
  }
  if (resources.length > 0 || namespaces.length > 0) return false;
  return nonResourceURLs.length === 0 || nonResourceURLs.some((pattern) => matchesPath(pattern, info.path));
}

function matchesResource(
  { group = "", resources = [], resourceNames }: NonNullable<AuditRule["resources"]>[number],
  info: Extract<RequestInfo, { kind: "resource" }>,
): boolean {
  if (group !== info.group || !some(resourceNames, info.name ?? "")) return false;
  const { plural, subresource } = info;
  const whole = subresource === undefined ? plural : `${plural}/${subresource}`;
  const wide = [whole, "*", ...(subresource === undefined ? [] : [`*/${subresource}`, `${plural}/*`])];
  return resources.length === 0 || resources.some((resource) => wide.includes(resource));
}

const matchesPath = (pattern: string, path: string): boolean =>
  pattern === "*" || (pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : pattern === path);
