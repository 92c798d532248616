/** The words of `fairlead up`. */
import { Option, type Command } from "commander";
import { FairleadError } from "../../lib/errors.ts";
import { checked, withCluster, withOutput, type Report } from "../flags.ts";
import {
  cidrOption,
  durationOption,
  gracePeriodOption,
  listOption,
  maskSizeOption,
  gatewayThreadsOption,
  maxPodsOption,
  nodeLabelsOption,
  mostRealNodes,
  nodesOption,
  portOption,
  portRangeOption,
  type ModeChoice,
  type NodeLabels,
  type Output,
} from "../options.ts";
import type { Terminal } from "../terminal.ts";
import { gatewayApiChannels, type GatewayApiChannel } from "./gateway-api.ts";

interface UpFlags {
  readonly name: string;
  readonly dataDir?: string;
  readonly filename?: readonly string[];
  readonly watch: boolean;
  readonly detach: boolean;
  readonly ephemeral: boolean;
  readonly output: Output;
  readonly timeout: number;
  readonly check: boolean;
  readonly logLevel: "error" | "warn" | "info" | "debug";
  readonly serviceClusterIpRange?: string;
  readonly serviceNodePortRange: string;
  readonly podNetworkCidr?: string;
  readonly clusterDns?: string;
  readonly clusterDomain: string;
  readonly disable?: readonly string[];
  readonly apiPort: number;
  readonly reportFile?: string;
  readonly console: boolean;
  readonly consolePort?: number;
  readonly config?: string;
  readonly mode: ModeChoice;
  readonly nodes: number;
  readonly nodeLabels: NodeLabels;
  readonly maxPods?: number;
  readonly nodeMonitorGracePeriod?: number;
  readonly auditPolicyFile?: string;
  readonly auditLogPath?: string;
  readonly simulate: boolean;
  readonly proxyMode?: "nftables" | "iptables" | "ipvs";
  readonly nodeCidrMaskSize?: number;
  readonly gatewayThreads: number;
  readonly gatewayApi?: GatewayApiChannel;
  readonly imageSource?: readonly string[];
}

export function addUp(program: Command, argv: readonly string[], terminal: Terminal, report: Report): void {
  const command = program
    .command("up")
    .description("start a cluster, apply manifests, and tell what is true of it")
    .option("-f, --filename <path>", "manifests: a file, a directory, or - for standard input; may be repeated", checked(listOption))
    .addOption(
      new Option("--gateway-api [channel]", "install the Gateway API's definitions: standard or experimental")
        .choices(gatewayApiChannels)
        .preset("standard"),
    )
    .option("--config <file>", "a ClusterConfiguration (docs/cli/config.md); flags go before what it says")
    .option("--watch", "apply the manifests again when their files change; what is taken out of them is deleted", false)
    .option("-d, --detach", "run in the background; ends when the cluster is ready", false)
    .option("--ephemeral", "keep nothing: data lives in a temporary directory and goes with the cluster", false)
    .addOption(
      new Option("--timeout <duration>", "how long to wait for pods before reporting")
        .default(60_000, "60s")
        .argParser(checked((value: string) => durationOption(value))),
    )
    .addOption(
      new Option(
        "--mode <mode>",
        "namespaces: each node and pod has a network of its own; loopback: all share this machine's; auto: the best that works here",
      )
        .default("auto")
        .choices(["auto", "namespaces", "loopback"])
        .env("FAIRLEAD_MODE"),
    )
    .addOption(
      new Option("--nodes <count>", "how many nodes, node-1 to node-N (namespaces mode, or --simulate)")
        .default(1)
        .argParser(checked(nodesOption)),
    )
    .addOption(
      new Option(
        "--node-labels <labels>",
        "[NODE:]KEY=VALUE,… for one node, or for all; may be repeated (zones: node-1:topology.kubernetes.io/zone=a)",
      )
        .default({}, "none")
        .argParser(checked(nodeLabelsOption)),
    )
    .addOption(
      new Option("--proxy-mode <mode>", "what carries Services in namespaces mode (default: nftables)").choices([
        "nftables",
        "iptables",
        "ipvs",
      ]),
    )
    .addOption(
      new Option(
        "--node-monitor-grace-period <duration>",
        "without a sign of life a node counts as gone after this (default: 50s)",
      ).argParser(checked(gracePeriodOption)),
    )
    .option("--simulate", "nodes and pods on paper only, up to 5000 nodes: everything above the container runtime is real", false)
    .addOption(new Option("--max-pods <count>", "pods of each node (default: 110)").argParser(checked(maxPodsOption)))
    .addOption(
      new Option("--gateway-threads <count>", "that serve Ingresses and Gateways; 0: the one of everything else")
        .argParser(checked(gatewayThreadsOption))
        .default(1),
    )
    .addOption(
      new Option("--node-cidr-mask-size <bits>", "size of each node's part of the pods' IPv4 range (default: 24)").argParser(
        checked(maskSizeOption),
      ),
    )
    .option(
      "--image-source <source>",
      "where images come from that Fairlead has no program for: 'registry' (their own), the directory of an OCI layout, an archive (skopeo, docker save); may be repeated; needs crun or runc and namespaces mode",
      checked(listOption),
    )
    .option("--no-check", "do not send requests and DNS queries for the report")
    .addOption(
      new Option(
        "--service-cluster-ip-range <cidr>",
        "addresses of Services (default: 10.96.0.0/12,fd00:10:96::/112; a block of 127.0.0.0/8 in loopback mode)",
      ).argParser(checked(cidrOption("--service-cluster-ip-range"))),
    )
    .addOption(
      new Option("--service-node-port-range <range>", "ports of NodePort Services")
        .default("30000-32767")
        .argParser(checked(portRangeOption)),
    )
    .addOption(
      new Option(
        "--pod-network-cidr <cidr>",
        "addresses of pods (default: 10.244.0.0/16,fd00:10:244::/56; a block of 127.0.0.0/8 in loopback mode)",
      ).argParser(checked(cidrOption("--pod-network-cidr"))),
    )
    .option("--cluster-dns <ip>", "address of the Service kube-dns (default: the tenth of the Services' range)")
    .option("--cluster-domain <domain>", "the zone of Service names", "cluster.local")
    .addOption(new Option("--api-port <port>", "port of the API server on 127.0.0.1; 0: any").default(6443).argParser(checked(portOption)))
    .addOption(
      new Option("--console-port <port>", "port of the web console on 127.0.0.1; 0: any (default: 6480)").argParser(checked(portOption)),
    )
    .option("--no-console", "serve no web console")
    .option("--audit-policy-file <file>", "which requests are written down: a Policy of audit.k8s.io/v1")
    .option("--audit-log-path <file>", "where they are written down, as JSON lines")
    .option(
      "--disable <part>",
      "leave out a controller, or dns, proxy, networkpolicy, forward-proxy, kubelet, gateway; may be repeated",
      checked(listOption),
    )
    .addOption(new Option("--log-level <level>", "error, warn, info or debug").default("error").choices(["error", "warn", "info", "debug"]))
    .addOption(new Option("--report-file <path>").hideHelp());
  withOutput(withCluster(command))
    .addHelpText(
      "after",
      `
Examples:
  fairlead up -f k8s/ --watch                         apply a directory, and again whenever it changes
  kustomize build . | fairlead up -f -                whatever writes manifests
  fairlead up --nodes 3 --node-labels node-1:topology.kubernetes.io/zone=a --node-labels node-2:topology.kubernetes.io/zone=b
  fairlead up --ephemeral --detach -o json            in CI: a report to read, nothing left after 'fairlead down'`,
    )
    .action(async (given: UpFlags) => {
      const flags = given.config === undefined ? given : await withConfig(given, given.config, command);
      const options = upOptions(flags);
      if (flags.detach) {
        const { detach } = await import("./detach.ts");
        const rest = argv.filter((word) => word !== "--detach" && word !== "-d");
        return report(await detach(rest, { ...options, timeout: flags.timeout + 15_000 }, terminal));
      }
      const { up } = await import("./up.ts");
      report(await up(options, terminal));
    });
}

/** What the file says, where neither the command line nor the environment has said it. */
async function withConfig(flags: UpFlags, file: string, command: Command): Promise<UpFlags> {
  const { readConfig } = await import("./config.ts");
  const values = Object.entries(readConfig(file)).filter(([flag]) => [undefined, "default"].includes(command.getOptionValueSource(flag)));
  return { ...flags, ...Object.fromEntries(values) };
}

function upOptions(flags: UpFlags) {
  const {
    filename: files = [],
    disable = [],
    reportFile,
    serviceClusterIpRange,
    podNetworkCidr,
    clusterDns,
    dataDir,
    detach: _,
    config: __,
    nodeCidrMaskSize,
    auditPolicyFile: policyFile,
    auditLogPath: logPath,
    imageSource: imageSources,
    ...rest
  } = flags;
  if ((policyFile === undefined) !== (logPath === undefined))
    throw new FairleadError("FL_USAGE", "--audit-policy-file and --audit-log-path go together");
  if (rest.nodes > mostRealNodes && !rest.simulate)
    throw new FairleadError("FL_USAGE", `--nodes ${rest.nodes}: at most ${mostRealNodes}`, {
      hint: "More of them can be had on paper: --simulate.",
    });
  return {
    ...rest,
    files,
    disable,
    // Nobody could be asked, and there is no network to make.
    ...(rest.simulate ? { mode: "loopback" as const, check: false } : {}),
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(serviceClusterIpRange === undefined ? {} : { serviceClusterIPRange: serviceClusterIpRange }),
    ...(podNetworkCidr === undefined ? {} : { podNetworkCIDR: podNetworkCidr }),
    ...(clusterDns === undefined ? {} : { clusterDNS: clusterDns }),
    ...(reportFile === undefined ? {} : { reportFile }),
    ...(policyFile === undefined || logPath === undefined ? {} : { audit: { policyFile, logPath } }),
    ...(imageSources === undefined ? {} : { imageSources }),
    ...(nodeCidrMaskSize === undefined ? {} : { nodeCIDRMaskSize: nodeCidrMaskSize }),
  };
}
