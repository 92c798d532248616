/** Whether a rule of a role allows a request, or covers another rule (`pkg/apis/rbac/v1/evaluation_helpers.go`, component-helpers `auth/rbac/validation`). Pure. */
import type { PolicyRule } from "../../../api/types.ts";
import type { AccessRequest } from "../authorizer.ts";

const all = "*";

export function ruleAllows(rule: PolicyRule, request: AccessRequest): boolean {
  if (!has(rule.verbs, request.verb)) return false;
  if (request.kind === "path") return (rule.nonResourceURLs ?? []).some((url) => urlMatches(url, request.path));
  const { group, plural, subresource, name = "" } = request;
  return (
    has(rule.apiGroups, group) &&
    (rule.resources ?? []).some((resource) => resourceMatches(resource, plural, subresource)) &&
    ((rule.resourceNames ?? []).length === 0 || (rule.resourceNames ?? []).includes(name))
  );
}

function has(list: readonly string[] | undefined, value: string): boolean {
  return list?.includes(all) === true || list?.includes(value) === true;
}

/** `*`, `pods`, `pods/log`, and a star with `/scale`. */
function resourceMatches(resource: string, plural: string, subresource: string | undefined): boolean {
  if (resource === all) return true;
  if (subresource === undefined) return resource === plural;
  return resource === `${plural}/${subresource}` || resource === `${all}/${subresource}`;
}

function urlMatches(url: string, path: string): boolean {
  return url === all || url === path || (url.endsWith(all) && path.startsWith(url.slice(0, -1)));
}

/** Of `wanted`, what no rule of `held` covers; rules come back broken into their smallest parts. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap(parts).filter((part) => !held.some((rule) => covers(rule, part)));
}

/** One verb, one group, one resource and one name each; one verb and one URL. */
function parts({
  verbs = [],
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule): readonly PolicyRule[] {
  const byResource = verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource): PolicyRule[] => {
        const rule = { verbs: [verb], apiGroups: [group], resources: [resource] };
        return resourceNames.length === 0 ? [rule] : resourceNames.map((name) => ({ ...rule, resourceNames: [name] }));
      }),
    ),
  );
  const byUrl = verbs.flatMap((verb) => nonResourceURLs.map((url) => ({ verbs: [verb], nonResourceURLs: [url] })));
  return [...byResource, ...byUrl];
}

function covers(held: PolicyRule, part: PolicyRule): boolean {
  if (!has(held.verbs, part.verbs[0] as string)) return false;
  const url = part.nonResourceURLs?.[0];
  if (url !== undefined) return (held.nonResourceURLs ?? []).some((own) => urlMatches(own, url));
  const [resource = "", name] = [part.resources?.[0], part.resourceNames?.[0]];
  const [plural = "", subresource] = resource.split("/", 2);
  const names = held.resourceNames ?? [];
  return (
    has(held.apiGroups, part.apiGroups?.[0] ?? "") &&
    (held.resources ?? []).some((own) => own === resource || resourceMatches(own, plural, subresource)) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}

/** A rule as messages show it. */
export function ruleText({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule): string {
  const part = (name: string, values: readonly string[] | undefined) =>
    values === undefined || values.length === 0 ? [] : [`${name}:[${values.map((value) => JSON.stringify(value)).join(" ")}]`];
  const shown = [
    ...part("APIGroups", apiGroups),
    ...part("Resources", resources),
    ...part("ResourceNames", resourceNames),
    ...part("NonResourceURLs", nonResourceURLs),
    ...part("Verbs", verbs),
  ];
  return `{${shown.join(", ")}}`;
}
