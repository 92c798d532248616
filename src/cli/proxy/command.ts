/** The words of `fairlead proxy`; the work is loaded when it is asked for. */
import { Option, type Command } from "commander";
import { diffModes, type DiffMode } from "../../decide/proxy/diff/traits.ts";
import { ipvsSchedulers, type IpvsScheduler } from "../../decide/proxy/render/ipvs/state.ts";
import { checked, withCluster, withOutput, type Report } from "../flags.ts";
import { cidrOption, listOption, type Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";

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

interface RenderFlags extends ProxyFlags {
  readonly mode: "nftables" | "iptables" | "ipvs" | "kernelspace";
  readonly ipFamily?: "4" | "6";
  readonly ipvsScheduler: IpvsScheduler;
  readonly sourceVip?: string;
  readonly apply?: true;
  readonly networkName?: string;
}

interface DiffFlags extends ProxyFlags {
  readonly from: DiffMode;
  readonly to: DiffMode;
  readonly ipvsScheduler: IpvsScheduler;
}

function scheduler(): Option {
  return new Option("--ipvs-scheduler <name>", "mode ipvs: who gets a connection").default("rr").choices(Object.keys(ipvsSchedulers));
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

export function addProxy(program: Command, terminal: Terminal, report: Report): void {
  const proxy = program
    .command("proxy")
    .description("a node's proxy by itself, with kube-proxy's flags; plan, render, trace: what it does with packets");
  // Flags are kube-proxy's, which commander cannot read: all words go on as they are.
  proxy
    .command("serve", { isDefault: true })
    .description("make a node's rules from any cluster's Services, in kube-proxy's place (serve --help: its flags)")
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: readonly string[]) => report(await (await import("./serve.ts")).serve(words, terminal)));
  const mode = (usual: string, choices: readonly string[]) => new Option("--mode <mode>", "whose rules").default(usual).choices(choices);
  const given = ({ filename: files = [], ...flags }: ProxyFlags) => ({ ...flags, files });
  withProxyInput(proxy.command("plan"))
    .description("each Service's addresses, who answers there, and which endpoints are left out and why")
    .action(async (flags: ProxyFlags) => report(await (await import("./proxy.ts")).plan(given(flags), terminal)));
  withProxyInput(proxy.command("render"))
    .description("the rules of a mode, for nft, iptables-restore, ipvsadm or Windows")
    .addOption(mode("nftables", ["nftables", "iptables", "ipvs", "kernelspace"]))
    .addOption(new Option("--ip-family <family>", "only IPv4 or IPv6 (modes iptables and ipvs)").choices(["4", "6"]))
    .addOption(scheduler())
    .option("--source-vip <ip>", "mode kernelspace: the address from which the node masquerades")
    .option("--apply", "mode kernelspace, on Windows only and untested there: bring HNS to it")
    .option("--network-name <name>", "mode kernelspace: the pods' network, for --apply")
    .action(async (flags: RenderFlags) => {
      const { mode: wanted, ipFamily, ipvsScheduler, sourceVip, apply, networkName } = flags;
      if (apply === true) {
        const { applyToWindows } = await import("./apply.ts");
        return report(await applyToWindows({ ...given(flags), mode: wanted, sourceVip, networkName }, terminal));
      }
      const { render } = await import("./proxy.ts");
      const vip = sourceVip === undefined ? {} : { sourceVip };
      report(await render({ ...given(flags), mode: wanted, ipFamily, ipvsScheduler, ...vip }, terminal));
    });
  const side = (flag: string, what: string) => new Option(`${flag} <mode>`, what).choices(diffModes).makeOptionMandatory();
  withProxyInput(proxy.command("diff"))
    .description("what changes for your Services when the proxy's mode does; exit code 1 when one loses something")
    .addOption(side("--from", "the mode that is"))
    .addOption(side("--to", "the mode that is to be"))
    .addOption(scheduler())
    .action(async (flags: DiffFlags) => {
      const { diff } = await import("./diff.ts");
      report(await diff({ ...given(flags), from: flags.from, to: flags.to, ipvsScheduler: flags.ipvsScheduler }, terminal));
    });
  withProxyInput(proxy.command("trace"))
    .description("what becomes of a packet; exit code 1 when no endpoint gets it")
    .requiredOption("--from <ip>", "the client's address")
    .requiredOption("--to <ip:port>", "where it connects: 10.96.0.10:80, [fd00:10:96::a]:80")
    .option("--protocol <protocol>", "tcp, udp or sctp", "tcp")
    .addOption(mode("plan", ["plan", "nftables", "iptables", "ipvs"]))
    .action(
      async (flags: ProxyFlags & { readonly from: string; readonly to: string; readonly protocol: string; readonly mode: "plan" }) => {
        const { tracePacket } = await import("./proxy.ts");
        report(
          await tracePacket({ ...given(flags), from: flags.from, to: flags.to, protocol: flags.protocol, mode: flags.mode }, terminal),
        );
      },
    );
}
