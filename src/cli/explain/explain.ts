/** `fairlead explain svc NAME`: why each pod is an endpoint of the Service, or why not. */
import { explainService, type ServiceExplanation } from "../../decide/explain/service.ts";
import { FairleadError } from "../../lib/errors.ts";
import { read } from "../collect.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import type { Output } from "../options.ts";
import { explanationText } from "./explanation-text.ts";
import type { Terminal } from "../terminal.ts";

export interface ExplainOptions extends ClusterChoice {
  readonly kind: string;
  readonly target: string;
  readonly namespace: string;
  readonly output: Output;
  /** Any cluster's kubeconfig instead of a running Fairlead's. */
  readonly kubeconfig?: string;
}

const serviceWords = new Set(["svc", "service", "services"]);

/** Exit code 0: the Service has ready endpoints; 1: it has none. */
export async function explain(options: ExplainOptions, terminal: Terminal): Promise<number> {
  if (!serviceWords.has(options.kind)) {
    throw new FairleadError("FL_UNSUPPORTED", `explain ${options.kind}: only Services can be explained so far`, {
      hint: "Try: fairlead explain svc NAME -n NAMESPACE",
    });
  }
  const connection = await connect(options.kubeconfig ?? findCluster(options).kubeconfig);
  let explanation: ServiceExplanation;
  try {
    const reading = await read(connection.client);
    explanation = explainService({ ...reading, endpointSlices: reading.slices }, options.namespace, options.target);
  } finally {
    await connection.close();
  }
  terminal.print(options.output === "json" ? JSON.stringify(explanation, null, 2) : explanationText(explanation, terminal.paint));
  return explanation.ok ? 0 : 1;
}
