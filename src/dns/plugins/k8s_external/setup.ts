import {
  externalAuthority,
  lookupExternal,
  wholeExternalZone,
  type ExternalAnswer,
  type ExternalZone,
} from "../../../decide/dns/external.ts";
import { isWithin, matchZone } from "../../../decide/dns/name.ts";
import { rcodes } from "../../../decide/dns/records.ts";
import { isReverseName } from "../../../decide/dns/reverse.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import {
  after,
  failure,
  reply,
  type Awaitable,
  type DnsRequest,
  type ExternalNames,
  type Handler,
  type Next,
  type Outcome,
  type PluginEntry,
} from "../../plugin.ts";
import { createReply } from "../../wire/message.ts";

interface Settings {
  readonly zones: readonly string[];
  apex: string;
  ttl: number;
  headless: boolean;
  fallthrough: readonly string[] | undefined;
}

const maxTtl = 3600;

export const k8sExternal: PluginEntry = {
  name: "k8s_external",
  setup(reader, block) {
    reader.next();
    const settings: Settings = {
      zones: zonesOrBlock(reader.args(), block.zones),
      apex: "dns",
      ttl: 5,
      headless: false,
      fallthrough: undefined,
    };
    while (reader.nextInBlock()) {
      if (reader.value === "apex") settings.apex = reader.exactly(1)[0] ?? "";
      else if (reader.value === "headless") settings.headless = true;
      else if (reader.value === "fallthrough") settings.fallthrough = zonesOrBlock(reader.args(), ["."]);
      else if (reader.value === "ttl") {
        const [text = ""] = reader.exactly(1);
        if (!/^\d+$/.test(text) || Number(text) > maxTtl) throw reader.error(`ttl must be in range [0, ${maxTtl}]: ${text}`);
        settings.ttl = Number(text);
      } else throw reader.error(`unknown property '${reader.value}'; expected apex, ttl, headless or fallthrough`);
    }
    const cluster = () => block.instances().find(({ plugin }) => plugin === "kubernetes")?.instance.external;
    return {
      handlers: [handler(settings, cluster)],
      zones: {
        origins: () => settings.zones,
        records(origin) {
          const names = cluster();
          return names?.synced() === true ? wholeExternalZone(names.index, zoneOf(settings, origin, names)) : undefined;
        },
      },
      start() {
        if (cluster() === undefined) throw reader.error("k8s_external needs the kubernetes plugin in the same server block");
      },
    };
  },
};

function zoneOf({ zones, apex, ttl, headless }: Settings, origin: string, names: ExternalNames): ExternalZone {
  return {
    origin,
    primary: zones.find((zone) => !isReverseName(zone)) ?? origin,
    apex,
    hostmaster: "hostmaster",
    ttl,
    headless,
    namespaces: names.namespaces,
    endpointPodNames: names.endpointPodNames,
    nameServers: names.localAddresses(),
  };
}

function handler(settings: Settings, cluster: () => ExternalNames | undefined): Handler {
  return {
    name: "k8s_external",
    serveDNS(request, next) {
      const origin = matchZone(settings.zones, request.name);
      if (origin === undefined) return next(request);
      const names = cluster();
      if (names?.synced() !== true) return failure(rcodes.SERVFAIL, new Error("the cluster's Services have not been read yet"));
      const zone = zoneOf(settings, origin, names);
      const { question } = request;
      const found = lookupExternal(names.index, zone, request.name, question.name, question.type);
      return answer(found, zone, names, settings, request, next);
    },
  };
}

function answer(
  found: ExternalAnswer,
  zone: ExternalZone,
  names: ExternalNames,
  { fallthrough }: Settings,
  request: DnsRequest,
  next: Next,
): Awaitable<Outcome> {
  const { message, question } = request;
  if (found.kind === "nameError" && fallthrough?.some((through) => isWithin(through, request.name)) === true) return next(request);
  if (found.kind !== "answer") {
    const rcode = found.kind === "nameError" ? rcodes.NXDOMAIN : rcodes.NOERROR;
    return live(createReply(message, { authoritative: true, rcode, authorities: [externalAuthority(names.index, zone)] }));
  }
  const { answers, additionals, follow } = found;
  const [target] = follow;
  if (target === undefined) return live(createReply(message, { authoritative: true, answers, additionals }));
  return after(request.resolve(target, question.type), (there) =>
    live(
      createReply(message, {
        authoritative: true,
        answers: [...answers, ...(there?.answers ?? [])],
        additionals,
        truncated: there?.truncated === true,
      }),
    ),
  );
}

const live = (message: ReturnType<typeof createReply>): Outcome => ({ ...reply("k8s_external", message), live: true });
