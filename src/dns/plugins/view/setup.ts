import { compileExpression, type Run } from "../../expression/compile.ts";
import { queryFunctions } from "../../expression/query-functions.ts";
import type { DnsRequest, PluginEntry } from "../../plugin.ts";

export const view: PluginEntry = {
  name: "view",
  setup(reader) {
    const conditions: Run<DnsRequest>[] = [];
    let name = "";
    while (reader.next()) {
      name = reader.exactly(1)[0] ?? "";
      while (reader.nextInBlock()) {
        if (reader.value !== "expr") throw reader.error(`unknown property '${reader.value}'; expected expr`);
        const text = reader.args().join(" ");
        const compiled = compileExpression(text, { functions: queryFunctions, variables: new Set() });
        if (compiled.kind === "error") throw reader.error(`expression ${JSON.stringify(text)}: ${compiled.reason}`);
        conditions.push(compiled.run);
      }
    }
    return { view: { name, accepts: (request) => conditions.every((run) => holds(run, request)) } };
  },
};

/** An expression that cannot be worked out for a query does not take it. */
function holds(run: Run<DnsRequest>, request: DnsRequest): boolean {
  try {
    return run(request, {}) === true;
  } catch {
    return false;
  }
}
