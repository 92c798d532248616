import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { FairleadError } from "../lib/errors.ts";
import { writeKubeconfig } from "./kubeconfig-file.ts";
import { loadKubeconfig } from "./kubeconfig.ts";

const folder = mkdtempSync(join(tmpdir(), "fairlead-kubeconfig-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(text: string): string {
  const path = join(folder, `config-${files++}`);
  writeFileSync(path, text);
  return path;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

const one = `
apiVersion: v1
kind: Config
current-context: here
clusters:
- name: c
  cluster: { server: "https://127.0.0.1:6443", certificate-authority-data: ${base64("CA")} }
users:
- name: u
  user: { client-certificate-data: ${base64("CERT")}, client-key: keys/u.pem }
- name: t
  user: { token: abc }
contexts:
- name: here
  context: { cluster: c, user: u }
- name: there
  context: { cluster: c, user: t, namespace: other }
- name: lost
  context: { cluster: gone, user: u }
- name: nobody
  context: { cluster: c, user: gone }
- name: anonymous
  context: { cluster: c }
`;

test("the current context: inline data, files beside the kubeconfig, defaults", async () => {
  const path = file(one);
  await writeKubeconfig(join(folder, "keys/u.pem"), "KEY");
  expect(await loadKubeconfig({ path })).toEqual({
    server: "https://127.0.0.1:6443",
    ca: "CA",
    clientCertificate: "CERT",
    clientKey: "KEY",
    namespace: "default",
    context: "here",
  });
  expect(await loadKubeconfig({ path, context: "there" })).toMatchObject({ token: "abc", namespace: "other" });
  expect(await loadKubeconfig({ path, context: "anonymous" })).toEqual({
    server: "https://127.0.0.1:6443",
    ca: "CA",
    namespace: "default",
    context: "anonymous",
  });
});

test("several files: the first to name something wins, absent ones do not matter", async () => {
  const first = file("users: [{ name: t, user: { token: first } }]\ncontexts: [{ name: mine, context: { cluster: c, user: t } }]");
  const env = { KUBECONFIG: [join(folder, "absent"), first, file(one), file("current-context: mine")].join(":") };
  expect(await loadKubeconfig({ env, context: "mine" })).toMatchObject({ token: "first", server: "https://127.0.0.1:6443" });
  expect((await loadKubeconfig({ env: { KUBECONFIG: [first, file("current-context: mine"), file(one)].join(":") } })).context).toBe("mine");
});

test("without $KUBECONFIG, ~/.kube/config", async () => {
  const home = join(folder, "home");
  await writeKubeconfig(join(home, ".kube/config"), one);
  expect((await loadKubeconfig({ env: { HOME: home }, context: "there" })).token).toBe("abc");
});

test.each([
  ["an absent file", undefined, undefined, "cannot be read", undefined],
  ["no YAML", "a: [", undefined, "is not YAML", undefined],
  ["a list", "- a", undefined, "holds no kubeconfig", undefined],
  ["no context chosen", "contexts: [{ name: a }]", undefined, "no current-context", "--context: a"],
  ["an unknown context", one, "x", 'no context "x"', "here, there, lost, nobody, anonymous"],
  ["a context without cluster", one, "lost", "names no cluster", undefined],
  ["a context with an unknown user", one, "nobody", 'names user "gone"', undefined],
  ["a key that is not there", one.replace("keys/u.pem", "keys/v.pem"), undefined, "client-key: ENOENT", undefined],
  ["a server that is no URL", one.replace("https://127.0.0.1:6443", "ftp://x"), undefined, "is not the URL of a server", undefined],
])("%s is named", async (_, text, context, message, hint) => {
  const path = text === undefined ? join(folder, "absent") : file(text);
  await expect(loadKubeconfig({ path, ...(context === undefined ? {} : { context }) })).rejects.toMatchObject({
    code: "FL_KUBECONFIG",
    message: expect.stringContaining(message) as string,
    ...(hint === undefined ? {} : { hint: expect.stringContaining(hint) as string }),
  });
});

test("no kubeconfig anywhere says where it looked", async () => {
  await expect(loadKubeconfig({ env: { HOME: join(folder, "nowhere") } })).rejects.toMatchObject({
    code: "FL_KUBECONFIG",
    message: `there is no kubeconfig: looked for ${join(folder, "nowhere/.kube/config")}`,
  });
});

test("any file is a kubeconfig or a refusal with a code", async () => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.constant([]), fc.constant({}));
  const entry = (name: string, ...fields: string[]) =>
    fc.dictionary(fc.constantFrom(...fields), value).map((fieldsOfIt) => [{ name: "a", [name]: fieldsOfIt }]);
  const shape = fc.record({
    "current-context": fc.oneof(fc.constant("a"), value),
    clusters: fc.oneof(entry("cluster", "server", "certificate-authority", "certificate-authority-data", "tls-server-name"), value),
    users: fc.oneof(entry("user", "token", "tokenFile", "client-key", "client-key-data", "exec", "username"), value),
    contexts: fc.oneof(
      fc.constant([{ name: "a", context: { cluster: "a", user: "a" } }]),
      entry("context", "cluster", "user", "namespace"),
      value,
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        shape.map((one) => JSON.stringify(one)),
      ),
      async (text) => {
        const path = join(folder, "any");
        writeFileSync(path, text);
        await loadKubeconfig({ path }).catch((error: unknown) => expect(error).toBeInstanceOf(FairleadError));
      },
    ),
    { numRuns: 500 },
  );
});

test("a token that YAML takes for a number is named", async () => {
  await expect(loadKubeconfig({ path: file(one.replace("token: abc", "token: 123")), context: "there" })).rejects.toMatchObject({
    code: "FL_KUBECONFIG",
    message: 'user "t": token must be text',
  });
});

test("what is written is its owner's alone and replaces what was there", async () => {
  const path = join(folder, "new/dir/config");
  await writeKubeconfig(path, "old");
  await writeKubeconfig(path, "new");
  expect([readFileSync(path, "utf8"), (statSync(path).mode & 0o777).toString(8)]).toEqual(["new", "600"]);
  await expect(writeKubeconfig(join(path, "below"), "x")).rejects.toMatchObject({ code: "FL_KUBECONFIG" });
});
