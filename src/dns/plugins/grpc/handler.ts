import { rcodeName, rcodes } from "../../../decide/dns/records.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { isAnswerTo } from "../../client/exchange.ts";
import { failure, reply, type DnsRequest, type Handler, type Next, type Outcome, type PluginEnvironment } from "../../plugin.ts";
import { decode } from "../../wire/decode.ts";
import { encode } from "../../wire/encode.ts";
import { extendedErrors } from "../../wire/extended-error.ts";
import type { GrpcClient } from "./client.ts";

export type GrpcPolicy = "random" | "round_robin" | "sequential";

export interface GrpcHandlerOptions {
  readonly clients: readonly GrpcClient[];
  readonly concerns: (name: string) => boolean;
  readonly policy: GrpcPolicy;
  /** Whether an unknown name goes on to the next plugin. */
  readonly through: (name: string) => boolean;
  readonly environment: Pick<PluginEnvironment, "clock" | "random" | "metrics">;
}

export function grpcHandler({ clients, concerns, policy, through, environment }: GrpcHandlerOptions): Handler {
  const { clock, random, metrics } = environment;
  const duration = metrics.histogram("coredns_grpc_request_duration_seconds", "Histogram of the time each request took.", ["to"]);
  const responses = metrics.counter("coredns_grpc_responses_total", "Counter of responses received per upstream.", ["rcode", "to"]);
  let turn = 0;

  function order(): readonly GrpcClient[] {
    const start = policy === "sequential" ? 0 : policy === "round_robin" ? turn++ : Math.floor(random() * clients.length);
    return clients.map((_, i) => clients[(start + i) % clients.length] as GrpcClient);
  }

  async function ask(request: DnsRequest, next: Next): Promise<Outcome> {
    let last = new Error("no gRPC server");
    const query = { ...request.message, id: Math.floor(random() * 65_536) };
    for (const client of order()) {
      const began = clock.monotonic();
      try {
        const decoded = decode(await client.ask(encode(query)));
        if (decoded.kind === "error" || !isAnswerTo(query, decoded.message)) throw new Error(`${client.address} answered another question`);
        const { message } = decoded;
        duration.labels(client.address).observe((clock.monotonic() - began) / 1000);
        responses.labels(rcodeName(message.rcode), client.address).inc();
        if (message.rcode === rcodes.NXDOMAIN && through(request.name)) return await next(request);
        return reply("grpc", { ...message, id: request.message.id, questions: [request.question] });
      } catch (error) {
        last = new Error(errorMessage(error));
      }
    }
    return failure(rcodes.SERVFAIL, last, { code: extendedErrors.NO_REACHABLE_AUTHORITY });
  }

  return { name: "grpc", serveDNS: (request, next) => (concerns(request.name) ? ask(request, next) : next(request)) };
}
