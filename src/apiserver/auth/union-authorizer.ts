/** Authorizers asked in order; the first that allows decides, and nobody can forbid what another allows (apiserver `pkg/authorization/union`). */
import type { Authorizer } from "./authorizer.ts";

export function unionAuthorizer(...authorizers: readonly Authorizer[]): Authorizer {
  return {
    decide(user, request) {
      const reasons: string[] = [];
      for (const authorizer of authorizers) {
        const decision = authorizer.decide(user, request);
        if (decision.allowed) return decision;
        if (decision.reason !== "") reasons.push(decision.reason);
      }
      return { allowed: false, reason: reasons.join("; ") };
    },
    rules(user, namespace) {
      const all = authorizers.map((one) => one.rules(user, namespace));
      return {
        resourceRules: all.flatMap(({ resourceRules }) => resourceRules),
        nonResourceRules: all.flatMap(({ nonResourceRules }) => nonResourceRules),
        incomplete: all.some(({ incomplete }) => incomplete),
      };
    },
  };
}

/** Administrators may do everything, whatever becomes of the roles. */
export const mastersAuthorizer: Authorizer = {
  decide: ({ groups }) => ({ allowed: groups.includes("system:masters"), reason: "" }),
  rules: ({ groups }) => ({
    resourceRules: groups.includes("system:masters") ? [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }] : [],
    nonResourceRules: groups.includes("system:masters") ? [{ verbs: ["*"], nonResourceURLs: ["*"] }] : [],
    incomplete: false,
  }),
};
