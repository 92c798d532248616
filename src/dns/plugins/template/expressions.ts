import type { Names, Value } from "../../expression/compile.ts";
import { queryFunctions } from "../../expression/query-functions.ts";
import type { DnsRequest } from "../../plugin.ts";

export interface TemplateContext {
  readonly request: DnsRequest;
  /** Of the pattern that matched the name. */
  readonly match: RegExpExecArray;
}

export const templateFunctions: Names<TemplateContext>["functions"] = {
  ...Object.fromEntries(
    Object.entries(queryFunctions).map(([name, run]) => [
      name,
      ({ request }: TemplateContext, ...args: readonly Value[]) => run(request, ...args),
    ]),
  ),
  group: ({ match }, which) => (typeof which === "number" ? match[which] : match.groups?.[String(which)]) ?? "",
};
