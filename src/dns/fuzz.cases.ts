/** Mutated packets against a whole server, for `npm test` and for the soak: what must hold whatever a stranger sends. */
import { realClock } from "../lib/clock.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { recordTypes } from "../decide/dns/records.ts";
import { configure } from "./corefile/configure.ts";
import { systemSources } from "./corefile/sources.ts";
import { pluginList, unsupportedDirectives } from "./plugins.ts";
import { Answerer, type Arrival } from "./server/answer.ts";
import { AnswerTable } from "./server/answer-table.ts";
import { SharedHttpEndpoints } from "./server/http-endpoints.ts";
import { noWatch } from "./server/query-watch.ts";
import { encode } from "./wire/encode.ts";
import { createQuery } from "./wire/message.ts";

const corefile = `.:53 {
    any
    bufsize 1232
    nsid here
    chaos v1 us
    rewrite name suffix .from.example .to.example answer auto
    template IN TXT t.example { answer "{{ .Name }} 60 IN TXT \\"{{ .Remote }}\\"" }
    hosts /nowhere/hosts { 
        10.0.0.1 a.example b.example
        10.0.0.2 a.example
        ::1 a.example
        fallthrough
    }
    loadbalance
    minimal
    header { response set ra }
    whoami
}
`;

/** mulberry32. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface FuzzTally {
  answered: number;
  silent: number;
  /** Kept answers that were sent again. */
  readonly table: AnswerTable;
}

/** Sends `count` packets; throws at the first broken promise, naming the packet. */
export async function fuzzPackets(count: number, seed: number, progress?: (done: number) => void): Promise<FuzzTally> {
  const random = createRandom(seed);
  const table = new AnswerTable({ capacity: 4096 });
  const { answerer, arrival, faults } = makeServer(table);
  const tally: FuzzTally = { answered: 0, silent: 0, table };
  const seeds = makeSeeds();
  for (let i = 0; i < count; i++) {
    const packet = mutate(seeds[Math.floor(random() * seeds.length)] as Uint8Array, random);
    const answer = await answerer.packet(packet, arrival);
    if (answer === undefined) tally.silent++;
    else {
      tally.answered++;
      check(packet, answer as Uint8Array);
    }
    const fault = faults();
    if (fault !== undefined) throw new Error(`a fault inside, by ${Buffer.from(packet).toString("hex")}: ${fault}`);
    if (progress !== undefined && i % 100_000 === 0) progress(i);
  }
  return tally;
}

function check(packet: Uint8Array, answer: Uint8Array): void {
  const wrong = (what: string) => new Error(`${what}: ${Buffer.from(packet).toString("hex")} → ${Buffer.from(answer).toString("hex")}`);
  if (answer.length < 12 || answer.length > 1232) throw wrong("an answer of a wrong size");
  if (answer[0] !== packet[0] || answer[1] !== packet[1]) throw wrong("another id");
  if (((answer[2] as number) & 0x80) === 0) throw wrong("no answer by its flags");
  if (((packet[2] as number) & 0x80) !== 0) throw wrong("an answer to an answer");
}

function makeServer(table: AnswerTable) {
  let fault: string | undefined;
  const log: Logger = {
    ...silentLogger,
    error: (message, fields) => void (fault ??= `${message} ${JSON.stringify(fields)}`),
    child: () => silentLogger,
  };
  const environment = {
    clock: realClock,
    log,
    metrics: new MetricsRegistry(),
    random: Math.random,
    sources: systemSources,
    http: new SharedHttpEndpoints({ port: () => undefined }),
    watch: noWatch,
    checkCorefile: () => undefined,
  };
  const options = { plugins: pluginList({ kubernetes: undefined }), unsupported: unsupportedDirectives, environment, hosts: () => [] };
  const { servers } = configure({
    text: corefile.replace(/\{ (\w[^{}]*?(?:\{\{.*\}\}.*)?) \}/g, "{\n$1\n}"),
    file: "Corefile",
    ...options,
  });
  const arrival: Arrival = {
    client: { address: "10.0.0.9", port: 53, protocol: "udp" },
    label: "dns://:53",
    routes: servers[0]?.zones ?? new Map(),
    table,
    keeper: table,
  };
  return { answerer: new Answerer(environment), arrival, faults: () => fault };
}

function makeSeeds(): readonly Uint8Array[] {
  const edns = {
    version: 0,
    udpSize: 4096,
    dnssecOk: true,
    options: [
      { code: 3, data: new Uint8Array(0) },
      { code: 10, data: new Uint8Array(8) },
    ],
  };
  const names = ["a.example.", "A.Example.", "x.from.example.", "t.example.", "b.example.", "version.bind.", "1.0.0.10.in-addr.arpa.", "."];
  const types = [recordTypes.A, recordTypes.AAAA, recordTypes.TXT, recordTypes.PTR, recordTypes.ANY, recordTypes.AXFR, recordTypes.DS];
  return names.flatMap((name) =>
    types.flatMap((type) => [encode(createQuery(name, type, { id: 7 })), encode(createQuery(name, type, { id: 7, edns }))]),
  );
}

/** Bytes changed, cut off, put in, repeated, or none of it. */
function mutate(seed: Uint8Array, random: () => number): Uint8Array {
  const kind = Math.floor(random() * 6);
  const bytes = Uint8Array.from(seed);
  if (kind === 0) return bytes;
  if (kind === 1) return bytes.subarray(0, Math.floor(random() * bytes.length));
  if (kind === 2)
    return Uint8Array.from([...bytes, ...Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256))]);
  if (kind === 3) return Uint8Array.from({ length: Math.floor(random() * 100) }, () => Math.floor(random() * 256));
  for (let n = Math.ceil(random() * 6); n > 0; n--) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  return bytes;
}
