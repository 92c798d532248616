/** A client that runs inside a pod: `pod-probe JSON`, where JSON is a `ProbeRequest`; prints one `ProbeResult` as JSON. */
import { probe, type ProbeRequest } from "./pod-questions.ts";

process.stdout.write(`${JSON.stringify(await probe(JSON.parse(process.argv[2] ?? "") as ProbeRequest))}\n`);
