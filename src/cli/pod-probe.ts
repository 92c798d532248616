/**
 * What a client of the cluster asks when it is tried: each URL's requests, every one on a connection of its own, and names.
 * It runs inside a pod as `node -e`, so that nothing of the program must be visible there; hence one function that uses
 * nothing from outside of itself.
 */

export interface ProbeRequest {
  readonly requests: readonly { readonly url: string; readonly count: number }[];
  readonly dns: {
    /** `127.97.255.53:53`; absent: as the pod's resolv.conf says. */
    readonly server?: string;
    readonly questions: readonly DnsQuestion[];
  };
}

export interface DnsQuestion {
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "SRV" | "PTR";
}

export interface ProbeResult {
  /** In the order of the URLs; each with one answer per request. */
  readonly requests: readonly (readonly HttpAnswer[])[];
  readonly names: readonly NameAnswer[];
}

export interface HttpAnswer {
  readonly status?: number;
  readonly body?: string;
  /** `ECONNREFUSED` */
  readonly error?: string;
}

export interface NameAnswer extends DnsQuestion {
  /** `NOERROR`, `NXDOMAIN`, `no answer` */
  readonly rcode: string;
  readonly answers: readonly string[];
}

/** The text of a program for `node -e` that prints a `ProbeResult` as JSON. */
export function probeProgram(request: ProbeRequest): string {
  return `(${probe.toString()})(${JSON.stringify(request)}).then((result) => process.stdout.write(JSON.stringify(result)))`;
}

/** Used in this process as well, where no pod is there to ask. Its source is sent to pods: nothing outside it may be named. */
export async function probe({ requests, dns }: ProbeRequest): Promise<ProbeResult> {
  const http = process.getBuiltinModule("node:http");
  const resolver = new (process.getBuiltinModule("node:dns/promises").Resolver)({ timeout: 1000, tries: 2 });
  const timeout = 2000;
  const maxBody = 4096;
  const rcodes: Readonly<Record<string, string>> = {
    ENOTFOUND: "NXDOMAIN",
    ENODATA: "no such record",
    ESERVFAIL: "SERVFAIL",
    EREFUSED: "REFUSED",
    ETIMEOUT: "no answer",
  };
  const get = (url: string): Promise<HttpAnswer> =>
    new Promise((resolve) => {
      const outgoing = http.request(url, { agent: false, timeout }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          if (body.length < maxBody) body += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: body.slice(0, maxBody) }));
      });
      outgoing.on("timeout", () => outgoing.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })));
      outgoing.on("error", (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
      outgoing.end();
    });
  const getAll = async (url: string, count: number): Promise<readonly HttpAnswer[]> => {
    const answers: HttpAnswer[] = [];
    for (let sent = 0; sent < count; sent++) answers.push(await get(url));
    return answers;
  };
  const ask = async (question: DnsQuestion): Promise<NameAnswer> => {
    try {
      const records = (await resolver.resolve(question.name, question.type)) as readonly (string | { name: string; port: number })[];
      const answers = records.map((record) => (typeof record === "string" ? record : `${record.name}:${record.port}`));
      return { ...question, rcode: "NOERROR", answers: answers.sort() };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      return { ...question, rcode: rcodes[code] ?? code, answers: [] };
    }
  };
  if (dns.server !== undefined) resolver.setServers([dns.server]);
  const [answers, names] = await Promise.all([
    Promise.all(requests.map(({ url, count }) => getAll(url, count))),
    Promise.all(dns.questions.map(ask)),
  ]);
  return { requests: answers, names };
}
