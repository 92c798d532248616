/** An explanation of a Service for people: the verdict first, then the path, then what to change. */
import type { ServiceExplanation } from "../../decide/explain/service.ts";
import { table, type Paint } from "../terminal.ts";

export function explanationText(explanation: ServiceExplanation, paint: Paint): string {
  const { namespace, name, type, clusterIPs, selector, ports, pods, endpoints, hints, consequences, events } = explanation;
  const sections: string[] = [explanation.ok ? paint.green(explanation.verdict) : paint.yellow(explanation.verdict)];
  const section = (title: string, lines: readonly string[]) => {
    if (lines.length > 0) sections.push([paint.bold(title), ...lines.map((line) => `  ${line}`)].join("\n"));
  };
  const pairs = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  section("Service", [
    `${namespace}/${name}  ${type}${clusterIPs.length > 0 ? `  ${clusterIPs.join(", ")}` : ""}`,
    ...(pairs.length > 0 ? [`selector  ${pairs.join(", ")}`] : []),
    ...ports.map(
      ({ name: port, port: number, protocol, targetPort, nodePort }) =>
        `port  ${port === "" ? "" : `${port} `}${number}/${protocol} → ${targetPort}${nodePort === undefined ? "" : `, node port ${nodePort}`}`,
    ),
  ]);
  const rows = pods.map((pod) => [
    pod.place === "ready" ? paint.green("✓") : paint.yellow(pod.place === "leftOut" ? "✗" : "…"),
    pod.name,
    pod.addresses.join(",") || "-",
    paint.dim(pod.reason),
    [pod.detail, pod.missingPorts].filter(Boolean).join("; "),
  ]);
  section("Pods", rows.length === 0 ? [] : table(rows).split("\n"));
  section("Endpoints", endpoints);
  section("What clients see", consequences);
  section("What to change", hints);
  section("Events", events);
  return sections.join("\n\n");
}
