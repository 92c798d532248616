/** The words of `fairlead ingress`; the work is in a file per verb, loaded when it is asked for. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { accessLogFormats, type AccessLogFormat } from "../../gateway/access-log.ts";
import { parseCidr } from "../../lib/ip.ts";
import { checked } from "../flags.ts";
import { gatewayThreadsOption, type Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";

export interface ClusterFlags {
  readonly name: string;
  readonly dataDir?: string;
  readonly kubeconfig?: string;
  readonly output: Output;
}

export function addIngress(program: Command, terminal: Terminal, report: (code: number) => void): void {
  const ingress = program.command("ingress").description("the gateway by itself; lint, routes, explain");
  ingress
    .command("serve", { isDefault: true })
    .description("serve a cluster's Ingresses from here, straight to their endpoints")
    .option("--kubeconfig <file>", "the cluster (default: $KUBECONFIG)")
    .addOption(new Option("--address <ip>", "where to listen").default("127.0.0.1"))
    .addOption(new Option("--http-port <port>", "0: any").argParser(port).default(80))
    .addOption(new Option("--https-port <port>", "0: any; that of HTTP: both on one port").argParser(port).default(443))
    .option("--authority <dir>", "where the local CA is kept (default: in memory)")
    .option("--proxy-protocol-from <ranges>", "load balancers whose connections begin with a PROXY header, 1 or 2", ranges)
    .option("--trusted-proxies <ranges>", "proxies whose X-Forwarded-For and Forwarded are believed", ranges)
    .addOption(new Option("--access-log <format>", "a line for each request").choices(accessLogFormats))
    .addOption(new Option("--access-log-file <path>", "where; -: standard output").default("-"))
    .option("--otlp-endpoint <url>", "spans go to this collector by OTLP over HTTP: http://127.0.0.1:4318", collector)
    .addOption(new Option("--trace-ratio <part>", "of requests that belong to no trace yet, 0 to 1").argParser(part).default(0.01))
    .option("--zone <name>", "where this machine is: endpoints with hints for the zone go first")
    .addOption(
      new Option("--threads <number>", "that serve; 0: the one of everything else").argParser(checked(gatewayThreadsOption)).default(1),
    )
    .option("--only-own-class", "serve no Ingress without a class, nor those of nginx, traefik and istio", false)
    .action(async (flags: ServeFlags) => {
      const { serve } = await import("./serve.ts");
      report(await serve(flags, terminal));
    });
  ingress
    .command("lint")
    .description("what of the Ingresses in these files would not work, or otherwise than in ingress-nginx; 1: something would not")
    .argument("<file...>", "manifests: files, directories, or - for standard input")
    .addOption(output())
    .action(async (files: readonly string[], flags: { output: Output }) => {
      const { lint } = await import("./lint.ts");
      report(await lint(files, flags.output, terminal));
    });
  ingress
    .command("convert")
    .description(
      "write Ingresses, Traefik's IngressRoutes and Istio's VirtualServices as the Gateway API; 1: something was refused, by name",
    )
    .argument("<file...>", "manifests: files, directories, or - for standard input")
    .addOption(new Option("--gateway <name>", "of the Gateways that are written").default("edge"))
    .addOption(new Option("--gateway-class <name>", "their class").default("fairlead"))
    .action(async (files: readonly string[], flags: { gateway: string; gatewayClass: string }) => {
      const { convert } = await import("./convert.ts");
      report(await convert(files, flags, terminal));
    });
  ingress
    .command("render")
    .description("write the configuration of another engine for the same rules; 1: something was refused, by name")
    .argument("<file...>", "manifests: files, directories, or - for standard input")
    .addOption(new Option("--engine <name>", "whose configuration").choices(["nginx"]).default("nginx"))
    .action(async (files: readonly string[]) => {
      const { render } = await import("./render.ts");
      report(await render(files, terminal));
    });
  withCluster(ingress.command("routes"))
    .description("every rule that is served, in the order in which they win, and what is behind it")
    .action(async (flags: ClusterFlags) => {
      const { routes } = await import("./routes.ts");
      report(await routes(flags, terminal));
    });
  withCluster(ingress.command("explain"))
    .description("which rule takes a request, and why no other does")
    .argument("<url>", "http://shop.localhost/cart?x=1")
    .addOption(new Option("-X, --method <method>", "of the request").default("GET"))
    .action(async (url: string, flags: ClusterFlags & { method: string }) => {
      const { explain } = await import("./routes.ts");
      report(await explain(url, flags.method, flags, terminal));
    });
}

export interface ServeFlags {
  readonly kubeconfig?: string;
  readonly address: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly authority?: string;
  readonly onlyOwnClass: boolean;
  readonly proxyProtocolFrom?: readonly string[];
  readonly trustedProxies?: readonly string[];
  readonly zone?: string;
  readonly accessLog?: AccessLogFormat;
  readonly accessLogFile: string;
  readonly otlpEndpoint?: string;
  readonly traceRatio: number;
  readonly threads: number;
}

function withCluster(command: Command): Command {
  return command
    .addOption(new Option("--name <name>", "which Fairlead, where several run side by side").default("default").env("FAIRLEAD_NAME"))
    .addOption(new Option("--data-dir <dir>", "its data directory").env("FAIRLEAD_DATA_DIR"))
    .option("--kubeconfig <file>", "any cluster instead of a running Fairlead")
    .addOption(output());
}

function output(): Option {
  return new Option("-o, --output <format>", "text or json").choices(["text", "json"]).default("text");
}

function ranges(text: string): readonly string[] {
  const all = text.split(",").map((each) => each.trim());
  if (all.some((each) => parseCidr(each) === undefined)) throw new InvalidArgumentError("ranges look like 10.0.0.0/8,fd00::/8");
  return all;
}

function collector(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("a collector is at an http or https address");
  return text;
}

function part(text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !(number >= 0 && number <= 1)) throw new InvalidArgumentError("a part is a number from 0 to 1");
  return number;
}

function port(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65_535) throw new InvalidArgumentError("a port is a number from 0 to 65535");
  return number;
}
