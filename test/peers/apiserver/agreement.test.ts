/**
 * The real kube-apiserver 1.36 and ours give the same answers to the same questions. Needs the programs in $KUBE_APISERVER and $ETCD
 * (`test/peers/build.ts` builds them); `compare.ts` asks more, and prints what differs.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compare, spoiltRounds } from "./compare.ts";
import { ours, type Peer } from "./peer.ts";
import { serviceRounds } from "./questions.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

const { KUBE_APISERVER: apiserver = "", ETCD: etcd = "" } = process.env;
const why = apiserver === "" || etcd === "" ? "needs kube-apiserver and etcd: their paths in $KUBE_APISERVER and $ETCD" : "";
const directory = why === "" ? mkdtempSync(join(tmpdir(), "kube-apiserver-")) : "";
let upstream: Upstream | undefined;
let mine: Peer;

beforeAll(async () => {
  if (why !== "") return;
  upstream = await startUpstream({ apiserver, etcd, directory });
  mine = await ours();
}, 180_000);

afterAll(async () => {
  await upstream?.stop();
  if (directory !== "") rmSync(directory, { recursive: true, force: true });
});

/**
 * A Service without a name: upstream makes its IPAddress first and fails at that (`failed to allocate IP: IPAddress … parentRef.name: Required
 * value`); ours says what is wrong. Names that are made up differ by nature.
 */
const knownOfServices = /^Service \w+ 422\/422 \.body\.(details|message)/;

test("Services: creates, changes and what is stored, to the letter", { timeout: 300_000 }, async (context) => {
  if (upstream === undefined) return context.skip(why);
  const { asked, same, sameStatus, differences } = await compare(serviceRounds(250, 7), upstream.ask, mine);
  console.log(`Services: ${same} of ${asked} answers the same as a whole, ${sameStatus} by status`);
  expect(differences.filter(({ what }) => !knownOfServices.test(what) && !/ 500\/400 /.test(what))).toEqual([]);
  expect(same / asked).toBeGreaterThan(0.97);
});

test("one of each kind, with every field spoilt in turn: accepted and refused alike", { timeout: 600_000 }, async (context) => {
  if (upstream === undefined) return context.skip(why);
  const { asked, same, sameStatus } = await compare(spoiltRounds(), upstream.ask, mine);
  console.log(`all kinds: ${same} of ${asked} answers the same as a whole, ${sameStatus} by status`);
  expect(sameStatus / asked).toBeGreaterThan(0.99);
  expect(same / asked).toBeGreaterThan(0.75);
});
