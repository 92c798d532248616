/** The command line: each verb's words, options and help. The work is in a file per verb, loaded when it is asked for. */
import { Command, CommanderError, Help, InvalidArgumentError, Option } from "commander";
import { FairleadError, errorMessage } from "../lib/errors.ts";
import { addIngress } from "./ingress/command.ts";
import {
  cidrOption,
  durationOption,
  listOption,
  maskSizeOption,
  maxPodsOption,
  nodeLabelsOption,
  nodesOption,
  outputOption,
  portRangeOption,
  type ModeChoice,
  type NodeLabels,
  type Output,
} from "./options.ts";
import { createTerminal, type Terminal } from "./terminal.ts";
import { kubernetesVersion, version } from "./version.ts";

/** Runs one command line; resolves with the exit code. 0: done; 1: it failed; 2: the command line is wrong. */
export async function run(argv: readonly string[]): Promise<number> {
  const terminal = createTerminal({ out: process.stdout, err: process.stderr, env: process.env, quiet: argv.includes("--quiet") });
  let code = 0;
  const program = build(argv, terminal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    return fail(error, terminal);
  }
}

function fail(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (!(error instanceof FairleadError)) {
    terminal.note(
      `${terminal.paint.red("error:")} ${error instanceof Error && process.env["FAIRLEAD_DEBUG"] !== undefined ? error.stack : errorMessage(error)}`,
    );
    return 1;
  }
  terminal.note(`${terminal.paint.red("error:")} ${error.message} ${terminal.paint.dim(`[${error.code}]`)}`);
  if (error.hint !== undefined) terminal.note(`${terminal.paint.cyan("hint:")}  ${error.hint}`);
  return error.code === "FL_USAGE" ? 2 : 1;
}

type Report = (code: number) => void;

function build(argv: readonly string[], terminal: Terminal, report: Report): Command {
  const program = new Command("fairlead")
    .description(
      "Kubernetes Services on this machine: API server, controllers, DNS, proxy, and pods as processes.\nNo Docker, no root, about a second.",
    )
    .version(`fairlead ${version} (serves the API of Kubernetes ${kubernetesVersion})`)
    .configureHelp({ optionDescription: (option) => Help.prototype.optionDescription(option).replace(/ \(default: false\)/, "") })
    .showHelpAfterError("(fairlead --help shows the commands)")
    .exitOverride()
    .option("--quiet", "print results only, no progress")
    .addHelpText(
      "after",
      `
Examples:
  fairlead up -f my-manifests/           start a cluster with your manifests; Ctrl-C ends it
  fairlead up --detach                   the same in the background
  export KUBECONFIG=$(fairlead kubeconfig --path)
  kubectl get services --all-namespaces
  fairlead explain svc web               why each pod is an endpoint of web, or why not
  fairlead down                          stop it`,
    );
  addUp(program, argv, terminal, report);
  addDown(program, terminal, report);
  addStatus(program, terminal, report);
  addLogs(program, terminal, report);
  addKubeconfig(program, terminal, report);
  addExplain(program, terminal, report);
  addRun(program, terminal, report);
  addDoctor(program, terminal, report);
  addDns(program, terminal, report);
  addProxy(program, terminal, report);
  addIngress(program, terminal, report);
  addDebug(program, terminal, report);
  addTrust(program, terminal, report);
  addCompletion(program, terminal);
  return program;
}

/** commander shows the message of this error class beside the option. */
function checked<T>(parse: (value: string, previous: T) => T): (value: string, previous: T) => T {
  return (value, previous) => {
    try {
      return parse(value, previous);
    } catch (error) {
      throw new InvalidArgumentError(
        error instanceof FairleadError && error.hint !== undefined ? `${error.message}. ${error.hint}` : errorMessage(error),
      );
    }
  };
}

function withCluster(command: Command): Command {
  return command
    .addOption(new Option("--name <name>", "which cluster, where several run side by side").default("default").env("FAIRLEAD_NAME"))
    .addOption(new Option("--data-dir <dir>", "its data directory, if not the named one below $XDG_DATA_HOME").env("FAIRLEAD_DATA_DIR"));
}

function withOutput(command: Command): Command {
  return command.addOption(new Option("-o, --output <format>", "text or json").default("text").argParser(checked<Output>(outputOption)));
}

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
  readonly config?: string;
  readonly mode: ModeChoice;
  readonly nodes: number;
  readonly nodeLabels: NodeLabels;
  readonly maxPods?: number;
  readonly proxyMode?: "nftables" | "iptables";
  readonly nodeCidrMaskSize?: number;
}

function addUp(program: Command, argv: readonly string[], terminal: Terminal, report: Report): void {
  const command = program
    .command("up")
    .description("start a cluster, apply manifests, and tell what is true of it")
    .option("-f, --filename <path>", "manifests: a file, a directory, or - for standard input; may be repeated", checked(listOption))
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
      new Option("--nodes <count>", "how many nodes, node-1 to node-N (namespaces mode)").default(1).argParser(checked(nodesOption)),
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
      new Option("--proxy-mode <mode>", "what carries Services in namespaces mode (default: nftables)").choices(["nftables", "iptables"]),
    )
    .addOption(new Option("--max-pods <count>", "pods of each node (default: 110)").argParser(checked(maxPodsOption)))
    .addOption(
      new Option("--node-cidr-mask-size <bits>", "size of each node's part of the pods' IPv4 range (default: 24)").argParser(
        checked(maskSizeOption),
      ),
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
    .addOption(
      new Option("--api-port <port>", "port of the API server on 127.0.0.1; 0: any")
        .default(6443)
        .argParser(checked((value: string) => port(value))),
    )
    .option(
      "--disable <part>",
      "leave out a controller, or dns, proxy, forward-proxy, kubelet, gateway; may be repeated",
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

function port(value: string): number {
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65535) return Number(value);
  throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no port`);
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
    ...rest
  } = flags;
  return {
    ...rest,
    files,
    disable,
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(serviceClusterIpRange === undefined ? {} : { serviceClusterIPRange: serviceClusterIpRange }),
    ...(podNetworkCidr === undefined ? {} : { podNetworkCIDR: podNetworkCidr }),
    ...(clusterDns === undefined ? {} : { clusterDNS: clusterDns }),
    ...(reportFile === undefined ? {} : { reportFile }),
    ...(nodeCidrMaskSize === undefined ? {} : { nodeCIDRMaskSize: nodeCidrMaskSize }),
  };
}

function addDown(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("down"))
    .description("stop a cluster and everything it runs")
    .option("--all", "stop every running cluster of this user", false)
    .option("--delete-data", "also remove its objects, addresses and certificates", false)
    .action(async (flags: { name: string; dataDir?: string; all: boolean; deleteData: boolean }) => {
      const { down } = await import("./down.ts");
      report(await down(flags, terminal));
    });
}

function addStatus(program: Command, terminal: Terminal, report: Report): void {
  withOutput(withCluster(program.command("status")))
    .description("nodes, pods, Services and what is wrong with them")
    .option("--all", "list the running clusters", false)
    .option("-w, --watch", "stay and show what changes: the whole report in a terminal, a line per change elsewhere", false)
    .action(async (flags: { name: string; dataDir?: string; all: boolean; watch: boolean; output: Output }) => {
      const { status } = await import("./status.ts");
      report(await status(flags, terminal));
    });
}

function addLogs(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("logs"))
    .description("the output of a pod, or of all pods of a Deployment (deployment/NAME)")
    .argument("<target>", "POD or deployment/NAME")
    .option("-n, --namespace <namespace>", "its namespace", "default")
    .option("-c, --container <name>", "which container, where the pod has several")
    .option("-f, --follow", "keep printing what comes", false)
    .option("-p, --previous", "of the run before the last restart", false)
    .option("--timestamps", "the time before each line", false)
    .addOption(new Option("--tail <lines>", "only the last lines").argParser(checked((value: string) => count(value))))
    .action(
      async (
        target: string,
        flags: {
          name: string;
          namespace: string;
          follow: boolean;
          previous: boolean;
          timestamps: boolean;
          tail?: number;
          container?: string;
        },
      ) => {
        const { logs } = await import("./logs.ts");
        report(await logs({ ...flags, target }, terminal));
      },
    );
}

function count(value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no number of lines`);
}

/** Flags are coredns's, which commander cannot read: all words go on as they are. */
function addDns(program: Command, terminal: Terminal, report: Report): void {
  program
    .command("dns")
    .description("the DNS server by itself, with coredns's flags; check, plan, query, node-cache")
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: readonly string[]) => {
      const { dns } = await import("./dns.ts");
      report(await dns(words, terminal));
    });
}

interface ProxyFlags {
  readonly name: string;
  readonly dataDir?: string;
  readonly filename?: readonly string[];
  readonly kubeconfig?: string;
  readonly node?: string;
  readonly clusterCidr?: readonly string[];
  readonly nodeportAddresses?: readonly string[];
  readonly serviceClusterIpRange?: readonly string[];
  readonly masqueradeAll: boolean;
  readonly output: Output;
}

function withProxyInput(command: Command): Command {
  return withOutput(withCluster(command))
    .option("-f, --filename <path>", "Services, EndpointSlices and Nodes, or a plan in JSON; may be repeated", checked(listOption))
    .option("--kubeconfig <file>", "any cluster's kubeconfig (read only), instead of a running Fairlead")
    .option("--node <name>", "whose proxy (default: the client's node, else the first)")
    .option("--cluster-cidr <cidr>", "where pods are (default: the node's own podCIDRs)", checked(cidrsOption("--cluster-cidr")))
    .option(
      "--nodeport-addresses <cidr>",
      "where NodePorts are open (default: the node's addresses)",
      checked(cidrsOption("--nodeport-addresses")),
    )
    .option(
      "--service-cluster-ip-range <cidr>",
      "addresses of Services (default: as ServiceCIDRs say)",
      checked(cidrsOption("--service-cluster-ip-range")),
    )
    .option("--masquerade-all", "masquerade all traffic to cluster IPs", false);
}

function cidrsOption(flag: string): (value: string, previous?: readonly string[]) => readonly string[] {
  return (value, previous) => listOption(cidrOption(flag)(value), previous);
}

function addProxy(program: Command, terminal: Terminal, report: Report): void {
  const proxy = program
    .command("proxy")
    .description("what a node's proxy does with packets: plan, render, trace; works on files and on any cluster");
  const mode = (usual: string, choices: readonly string[]) => new Option("--mode <mode>", "whose rules").default(usual).choices(choices);
  const given = ({ filename: files = [], ...flags }: ProxyFlags) => ({ ...flags, files });
  withProxyInput(proxy.command("plan"))
    .description("each Service's addresses, who answers there, and which endpoints are left out and why")
    .action(async (flags: ProxyFlags) => report(await (await import("./proxy.ts")).plan(given(flags), terminal)));
  withProxyInput(proxy.command("render"))
    .description("the rules of a mode, for nft or iptables-restore")
    .addOption(mode("nftables", ["nftables", "iptables"]))
    .addOption(new Option("--ip-family <family>", "only IPv4 or IPv6 (mode iptables, to pipe into iptables-restore)").choices(["4", "6"]))
    .action(async (flags: ProxyFlags & { readonly mode: "nftables" | "iptables"; readonly ipFamily?: "4" | "6" }) => {
      const { render } = await import("./proxy.ts");
      report(await render({ ...given(flags), mode: flags.mode, ipFamily: flags.ipFamily }, terminal));
    });
  withProxyInput(proxy.command("trace"))
    .description("what becomes of a packet; exit code 1 when no endpoint gets it")
    .requiredOption("--from <ip>", "the client's address")
    .requiredOption("--to <ip:port>", "where it connects: 10.96.0.10:80, [fd00:10:96::a]:80")
    .option("--protocol <protocol>", "tcp, udp or sctp", "tcp")
    .addOption(mode("plan", ["plan", "nftables", "iptables"]))
    .action(
      async (flags: ProxyFlags & { readonly from: string; readonly to: string; readonly protocol: string; readonly mode: "plan" }) => {
        const { tracePacket } = await import("./proxy.ts");
        report(
          await tracePacket({ ...given(flags), from: flags.from, to: flags.to, protocol: flags.protocol, mode: flags.mode }, terminal),
        );
      },
    );
}

function addDebug(program: Command, terminal: Terminal, report: Report): void {
  const debug = program.command("debug").description("what helps somebody else to understand a cluster");
  withCluster(debug.command("bundle"))
    .description("objects, events, logs, metrics and health in one .tar.gz file; values of Secrets are left out")
    .option("--file <path>", "where it goes (default: fairlead-NAME-TIME.tar.gz here)")
    .action(async (flags: { name: string; dataDir?: string; file?: string }) => {
      const { debugBundle } = await import("./debug-bundle.ts");
      report(await debugBundle(flags, terminal));
    });
}

function addTrust(program: Command, terminal: Terminal, report: Report): void {
  withOutput(withCluster(program.command("trust")))
    .description("where the local CA of Ingress hosts is, and how to trust it; changes nothing by itself")
    .action(async (flags: { name: string; dataDir?: string; output: Output }) => {
      const { trust } = await import("./trust.ts");
      report(trust(flags, terminal));
    });
}

function addCompletion(program: Command, terminal: Terminal): void {
  program
    .command("completion")
    .description("print a completion script: source <(fairlead completion bash)")
    .argument("<shell>", "bash, zsh or fish")
    .action(async (shell: string) => {
      const { completionEntries, completionScript } = await import("./completion.ts");
      terminal.print(completionScript(shell, completionEntries(program)).trimEnd());
    });
}

function addKubeconfig(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("kubeconfig"))
    .description("print the kubeconfig of a running cluster")
    .option("--path", "print only where the file is: export KUBECONFIG=$(fairlead kubeconfig --path)", false)
    .action(async (flags: { name: string; dataDir?: string; path: boolean }) => {
      const { kubeconfig } = await import("./kubeconfig.ts");
      report(kubeconfig(flags, terminal));
    });
}

function addRun(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("run"))
    .description("run a command of this machine inside the cluster's network: fairlead run -- curl http://web:8080")
    .usage("[options] -- COMMAND [ARGUMENT...]")
    .argument("<command...>", "the command and its words, after --")
    .option("-n, --namespace <namespace>", "whose names are found without a suffix", "default")
    .addHelpText(
      "after",
      "\nIts exit code is the command's. Files, directory and terminal stay your own; only the network is the cluster's.",
    )
    .action(async (command: readonly string[], flags: { name: string; dataDir?: string; namespace: string }) => {
      const { run: runCommand } = await import("./run.ts");
      report(await runCommand({ ...flags, command }, terminal));
    });
}

function addDoctor(program: Command, terminal: Terminal, report: Report): void {
  withOutput(program.command("doctor"))
    .description("what this machine lets clusters do, and what to run to have more; exit code 1 when none can run")
    .action(async (flags: { output: Output }) => {
      const { doctor } = await import("./doctor.ts");
      report(await doctor(flags, terminal));
    });
}

function addExplain(program: Command, terminal: Terminal, report: Report): void {
  withOutput(withCluster(program.command("explain")))
    .description("why each pod is an endpoint of a Service, or why not; exit code 1 when it has no ready endpoint")
    .argument("<kind>", "svc")
    .argument("<name>", "the Service's name")
    .option("-n, --namespace <namespace>", "its namespace", "default")
    .option("--kubeconfig <file>", "any cluster's kubeconfig (read only), instead of a running Fairlead")
    .action(async (kind: string, target: string, flags: { name: string; namespace: string; output: Output; kubeconfig?: string }) => {
      const { explain } = await import("./explain.ts");
      report(await explain({ ...flags, kind, target }, terminal));
    });
}
