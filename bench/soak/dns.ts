/** See README.md. */
import { parseArgs } from "node:util";
import { fuzzPackets } from "../../src/dns/fuzz.cases.ts";

const { values } = parseArgs({ options: { packets: { type: "string" }, seed: { type: "string" } } });
const packets = Number(values.packets ?? 10_000_000);
const began = performance.now();
let afterFirst = 0;
const { answered, silent } = await fuzzPackets(packets, Number(values.seed ?? 1), (done) => {
  if (done === 1_000_000) afterFirst = process.memoryUsage.rss();
  if (done % 1_000_000 === 0) console.log(`${done.toLocaleString("en")} packets, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MB`);
});
const growth = afterFirst === 0 ? 0 : process.memoryUsage.rss() / afterFirst - 1;
console.log(
  `${packets.toLocaleString("en")} packets in ${Math.round((performance.now() - began) / 1000)} s: ${answered} answered, ${silent} not; memory ${(growth * 100).toFixed(1)} % above that after the first million`,
);
if (growth > 0.1) process.exitCode = 1;
