/** See README.md. */
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fuzzPackets } from "../../src/dns/fuzz.cases.ts";

// What is only waiting to be collected is no growth.
setFlagsFromString("--expose-gc");
// As the server itself has it: a nursery that grows by 16 MB when V8 finds it worth while is no leak either, and would hide one.
setFlagsFromString("--semi-space-growth-factor=1");
const collect = runInNewContext("gc") as () => void;

const { values } = parseArgs({ options: { packets: { type: "string" }, seed: { type: "string" } } });
const packets = Number(values.packets ?? 10_000_000);
const began = performance.now();
let afterFirst = 0;

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

function resident(): number {
  collect();
  return process.memoryUsage().rss;
}

const { answered, silent } = await fuzzPackets(packets, Number(values.seed ?? 1), (done) => {
  if (done % 1_000_000 !== 0) return;
  const bytes = resident();
  if (done === 1_000_000) afterFirst = bytes;
  const live = process.memoryUsage().heapUsed;
  console.log(`${done.toLocaleString("en")} packets, ${megabytes(bytes)} MB, of which ${megabytes(live)} MB are objects in use`);
});
const growth = afterFirst === 0 ? 0 : resident() / afterFirst - 1;
const seconds = Math.round((performance.now() - began) / 1000);
console.log(
  `${packets.toLocaleString("en")} packets in ${seconds} s: ${answered} answered, ${silent} not; memory ${(growth * 100).toFixed(1)} % above that after the first million`,
);
if (growth > 0.1) process.exitCode = 1;
