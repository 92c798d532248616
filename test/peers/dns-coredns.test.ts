/**
 * The real CoreDNS beside this program's, on the same API server, with the same Corefile: generated questions must get equal
 * codes, flags, answers, authorities and additional records. Needs a `coredns` (built with the kubernetes plugin) named by
 * $COREDNS or on the PATH; skipped with a reason where there is none.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordTypes, typeName } from "../../src/decide/dns/records.ts";
import { createDnsServer, type DnsServer } from "../../src/dns/server/server.ts";
import { decode } from "../../src/dns/wire/decode.ts";
import { encode } from "../../src/dns/wire/encode.ts";
import { createQuery, type Message } from "../../src/dns/wire/message.ts";
import { recordText } from "../../src/dns/wire/text.ts";
import { realClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { MetricsRegistry } from "../../src/lib/metrics.ts";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";
import { freePort } from "../support/ports.ts";
import { clusterManifests, createQuestions, createRandom } from "./dns-questions.ts";

const binary = process.env["COREDNS"] ?? "coredns";
const missing = spawnSync(binary, ["-version"]).error !== undefined;
/** Only where the peer is. */
const compare = missing ? undefined : describe;

if (missing) {
  test("20,000 questions, and zones without a cluster: equal answers", (context) =>
    context.skip("there is no coredns here; build one and name it with $COREDNS"));
}

const questions = Number(process.env["DNS_PEER_QUESTIONS"] ?? 20_000);
const seed = Number(process.env["DNS_PEER_SEED"] ?? 1);

const corefile = (port: number, kubeconfig: string) => `.:${port} {
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        ${kubeconfig === "" ? "" : `kubeconfig ${kubeconfig}`}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    erratic {
        drop 0
    }
}
`;

/** Questions on which the two differ by intent, and why. */
const differing: readonly (readonly [(name: string, type: number) => boolean, string])[] = [
  [
    (name) => name.toLowerCase().startsWith("ns.dns.") && !name.startsWith("ns.dns."),
    "names are compared without case (RFC 4343 3); CoreDNS knows `ns.dns` in lower case only",
  ],
  [
    (name, type) => type === recordTypes.NS || name.toLowerCase().startsWith("ns.dns."),
    "name servers are the Services of the address that the server listens at; both listen on loopback here, which CoreDNS leaves out (`boundIPs`)",
  ],
];

compare?.("the real CoreDNS and this one", { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-peer-"));
  let cluster: TestCluster;
  let ours: DnsServer;
  let theirs: ChildProcess;
  let ports: { readonly ours: number; readonly theirs: number };

  beforeAll(async () => {
    cluster = await startCluster({ manifests: clusterManifests, disable: ["endpointslice"] });
    const kubeconfig = await cluster.kubeconfig();
    ours = createDnsServer({
      corefile: corefile(53, ""),
      file: "Corefile",
      plugins: { kubernetes: { informers: cluster.informers, localAddresses: [] } },
      listen: () => [{ host: "127.0.0.1", port: 0 }],
      httpPort: () => undefined,
      clock: realClock,
      log: silentLogger,
      metrics: new MetricsRegistry(),
    });
    await ours.start();
    const free = await freePort();
    writeFileSync(join(folder, "Corefile"), corefile(free, kubeconfig).replace(`.:${free} {`, `.:${free} {\n    bind 127.0.0.1`));
    theirs = spawn(binary, ["-conf", join(folder, "Corefile")], { stdio: ["ignore", "pipe", "pipe"] });
    ports = { ours: [...ours.addresses().values()][0]?.port ?? 0, theirs: free };
    await Promise.race([untilAnswers(ports.theirs, "two.shop.svc.cluster.local."), endOf(theirs)]);
    await untilAnswers(ports.ours, "two.shop.svc.cluster.local.");
  }, 120_000);

  afterAll(async () => {
    theirs?.kill("SIGKILL");
    await ours?.stop();
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test(`${questions} questions have equal answers`, async () => {
    const random = createRandom(seed);
    const list = createQuestions(random, questions);
    const [us, them] = [new Asker(ports.ours), new Asker(ports.theirs)];
    const differences = new Map<string, string>();
    let count = 0;
    let intended = 0;
    for (let at = 0; at < list.length; at += 100) {
      const batch = list.slice(at, at + 100);
      const answers = await Promise.all(batch.map(async (query) => [await us.ask(query), await them.ask(query)] as const));
      batch.forEach((query, i) => {
        const [mine, other] = answers[i] as readonly [Message, Message];
        const [a, b] = [comparable(mine), comparable(other)];
        if (a === b) return;
        const [question] = query.questions;
        if (differing.some(([applies]) => applies(question?.name ?? "", question?.type ?? 0))) return void intended++;
        count++;
        differences.set(
          `${shape(question?.name ?? "")} ${typeName(question?.type ?? 0)}`,
          `${question?.name} ${typeName(question?.type ?? 0)}\n  ours:   ${a}\n  theirs: ${b}`,
        );
      });
    }
    us.close();
    them.close();
    console.log(`${list.length} questions, ${count} differences, ${intended} that are meant`);
    expect([...differences.values()].slice(0, 20).join("\n")).toBe("");
  });
});

const zoneFile = `$ORIGIN example.org.
$TTL 300
@ IN SOA ns admin 7 7200 3600 1209600 300
@ IN NS ns
@ IN NS ns2.example.net.
@ IN MX 10 mail
@ IN TXT "v=spf1 -all" "second"
@ IN CAA 0 issue "ca.example.net"
ns IN A 192.0.2.1
ns IN AAAA 2001:db8::1
mail IN A 192.0.2.2
www IN CNAME web
web IN A 192.0.2.3
web IN A 192.0.2.4
web IN HTTPS 1 . alpn=h2,h3
far IN CNAME www.example.net.
circle IN CNAME circle2
circle2 IN CNAME circle
chain1 IN CNAME chain2
chain2 IN CNAME chain3
chain3 IN CNAME web
dangling IN CNAME nothing.here
intowild IN CNAME x.wild
_sip._tcp IN SRV 0 5 5060 web
_sip._tcp IN SRV 1 5 5060 www.example.net.
*.wild IN A 192.0.2.9
*.wild IN TXT "wild"
a.b.wild IN A 192.0.2.10
*.cwild IN CNAME web
deep.empty.nonterminal IN A 192.0.2.11
sub IN NS ns.sub
sub IN NS ns.example.net.
sub IN DS 12345 8 2 1122334455667788990011223344556677889900112233445566778899001122
ns.sub IN A 192.0.2.20
intosub IN CNAME host.sub
dname IN DNAME target.example.org.
host.target IN A 192.0.2.30
naptr IN NAPTR 100 10 "S" "SIP+D2U" "" _sip._udp
ptr IN PTR web
hinfo IN HINFO "cpu" "os"
`;

const staticCorefile = (port: number) => `example.org:${port} {
    bind 127.0.0.1
    file db.example.org
}
.:${port} {
    bind 127.0.0.1
    any
    chaos v1 someone
    acl {
        block type HINFO
        filter type CAA
    }
    rewrite stop name exact old.example.net www.example.net
    rewrite stop name suffix .from.example.net .to.example.net answer auto
    rewrite continue ttl regex .*short.* 5
    rewrite stop type MX A
    header {
        response set ra
    }
    template IN A tpl.example.net {
        match ^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]tpl[.]example[.]net[.]$
        answer "{{ .Name }} 60 IN A 10.0.{{ .Group.a }}.{{ .Group.b }}"
        fallthrough
    }
    template IN TXT tpl.example.net {
        answer "{{ .Name }} 60 IN TXT \\"{{ .Type }} {{ .Class }} {{ .Zone }}\\""
    }
    hosts hosts {
        192.0.2.40 www.example.net x.to.example.net short.example.net
        2001:db8::40 www.example.net
        192.0.2.41 www.example.net
        fallthrough example.net
    }
    erratic {
        drop 0
    }
}
`;

const staticNames = [
  "",
  "www",
  "web",
  "far",
  "circle",
  "chain1",
  "chain3",
  "dangling",
  "intowild",
  "_sip._tcp",
  "_tcp",
  "x.wild",
  "x.y.wild",
  "wild",
  "a.b.wild",
  "b.wild",
  "c.b.wild",
  "x.cwild",
  "nonterminal",
  "empty.nonterminal",
  "x.empty.nonterminal",
  "deep.empty.nonterminal",
  "sub",
  "x.sub",
  "ns.sub",
  "intosub",
  "dname",
  "host.dname",
  "gone.dname",
  "target",
  "naptr",
  "ptr",
  "hinfo",
  "ns",
  "mail",
  "gone",
  "*.wild",
  "*",
].map((name) => (name === "" ? "example.org." : `${name}.example.org.`));
const otherNames = [
  "www.example.net.",
  "old.example.net.",
  "x.from.example.net.",
  "gone.from.example.net.",
  "short.example.net.",
  "ip-1-2.tpl.example.net.",
  "ip-x.tpl.example.net.",
  "tpl.example.net.",
  "localhost.",
  "a.localhost.",
  "localhost.example.net.",
  "1.0.0.127.in-addr.arpa.",
  "40.2.0.192.in-addr.arpa.",
  "9.2.0.192.in-addr.arpa.",
  "version.bind.",
  "gone.example.net.",
  ".",
  "net.",
];
const staticTypes = [
  recordTypes.A,
  recordTypes.AAAA,
  recordTypes.MX,
  recordTypes.TXT,
  recordTypes.SRV,
  recordTypes.CNAME,
  recordTypes.NS,
  recordTypes.SOA,
  recordTypes.PTR,
  recordTypes.DS,
  recordTypes.DNAME,
  recordTypes.HTTPS,
  recordTypes.CAA,
  recordTypes.ANY,
  recordTypes.HINFO,
  recordTypes.NAPTR,
];

compare?.("zones and plugins without a cluster", { timeout: 300_000 }, () => {
  test("questions of every type have equal answers", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fairlead-peer-"));
    writeFileSync(join(folder, "db.example.org"), zoneFile);
    writeFileSync(join(folder, "hosts"), "");
    const port = await freePort();
    writeFileSync(join(folder, "Corefile"), staticCorefile(port));
    const theirs = spawn(binary, ["-conf", "Corefile"], { cwd: folder, stdio: "ignore" });
    const ours = createDnsServer({
      corefile: staticCorefile(53),
      file: join(folder, "Corefile"),
      plugins: { kubernetes: undefined },
      listen: () => [{ host: "127.0.0.1", port: 0 }],
      httpPort: () => undefined,
      clock: realClock,
      log: silentLogger,
      metrics: new MetricsRegistry(),
    });
    try {
      await ours.start();
      await untilAnswers(port, "web.example.org.");
      const [us, them] = [new Asker([...ours.addresses().values()][0]?.port ?? 0), new Asker(port)];
      const differences: string[] = [];
      const edns = { version: 0, udpSize: 1232, dnssecOk: true, options: [] };
      for (const name of [...staticNames, ...otherNames]) {
        for (const type of staticTypes) {
          for (const options of [{}, { edns }]) {
            const query = createQuery(name, type, options);
            const [mine, other] = [comparable(await us.ask(query)), comparable(await them.ask(query))];
            if (mine === other || staticDiffering.some(({ applies }) => applies(name, type, "edns" in options))) continue;
            differences.push(`${name} ${typeName(type)}\n  ours:   ${mine}\n  theirs: ${other}`);
          }
        }
      }
      us.close();
      them.close();
      expect(differences.join("\n")).toBe("");
    } finally {
      theirs.kill("SIGKILL");
      await ours.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Why answers differ by intent. */
const staticDiffering: readonly { readonly why: string; readonly applies: (name: string, type: number, edns: boolean) => boolean }[] = [
  {
    why: "both cut an endless chain of CNAME records, after another number of hops",
    applies: (name) => name === "circle.example.org.",
  },
  {
    why: "acl of CoreDNS sends an OPT record (for its extended error) to clients that sent none, which RFC 6891 6.1.1 forbids",
    applies: (name, type, edns) => !edns && !name.endsWith("example.org.") && (type === recordTypes.CAA || type === recordTypes.HINFO),
  },
];

/** The same kind of name counts once. */
const shape = (name: string): string => name.toLowerCase().replace(/\d+/g, "N").split(".").slice(-6).join(".");

/** Sections as sets; of a SOA record not its serial, which is a clock. */
function comparable(message: Message): string {
  const records = (list: Message["answers"]) =>
    list
      .map((record) => (record.data.kind === "soa" ? recordText({ ...record, data: { ...record.data, serial: 0 } }) : recordText(record)))
      .sort()
      .join(", ");
  const flags = [
    message.authoritative && "aa",
    message.truncated && "tc",
    message.recursionDesired && "rd",
    message.recursionAvailable && "ra",
    message.authenticData && "ad",
    message.checkingDisabled && "cd",
  ];
  const edns = message.edns === undefined ? "" : `edns${message.edns.dnssecOk ? " do" : ""}`;
  return [
    message.rcode,
    flags.filter(Boolean).join(" "),
    edns,
    records(message.answers),
    records(message.authorities),
    records(message.additionals),
  ].join(" | ");
}

class Asker {
  readonly #socket: Socket = createSocket("udp4");
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #port: number;
  #id = 0;

  constructor(port: number) {
    this.#port = port;
    this.#socket.on("message", (packet) => {
      const decoded = decode(packet);
      if (decoded.kind === "error") return;
      this.#waiting.get(decoded.message.id)?.(decoded.message);
    });
  }

  ask(query: Message): Promise<Message> {
    const id = (this.#id = (this.#id + 1) & 0xffff);
    const bytes = encode({ ...query, id });
    return new Promise((resolve, reject) => {
      const send = () => this.#socket.send(bytes, this.#port, "127.0.0.1");
      const again = setInterval(send, 2000);
      const late = setTimeout(() => {
        clearInterval(again);
        reject(new Error(`no answer to ${query.questions[0]?.name}`));
      }, 30_000);
      this.#waiting.set(id, (message) => {
        clearInterval(again);
        clearTimeout(late);
        this.#waiting.delete(id);
        resolve(message);
      });
      send();
    });
  }

  close(): void {
    this.#socket.close();
  }
}

/** Rejects when the program ends, with what it said. */
function endOf(child: ChildProcess): Promise<never> {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4096)));
  return new Promise((_, reject) => child.once("exit", (code) => reject(new Error(`coredns ended with code ${code}: ${said}`))));
}

async function untilAnswers(port: number, name: string): Promise<void> {
  const asker = new Asker(port);
  try {
    for (;;) {
      const message = await asker.ask(createQuery(name, recordTypes.A));
      if (message.answers.length > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    asker.close();
  }
}
