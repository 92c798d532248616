import { describe, expect, test } from "vitest";
import { execChain, type ChainOptions, type Identity } from "./exec-chain.ts";

const tools = { unshare: "U", setpriv: "P", setsid: "S" };
const root: Identity = { root: true, uid: 0, gid: 0 };
const ann: Identity = { root: false, uid: 1000, gid: 100 };
const plain: ChainOptions = { user: { kind: "own" }, noNewPrivileges: false, terminal: false, procTarget: undefined };
const chain = (options: Partial<ChainOptions>, who: Identity) => execChain({ ...plain, ...options }, who, tools).join(" ");

describe("what comes before the program", () => {
  test.each<[string, Partial<ChainOptions>, Identity, string]>([
    ["root drops to nobody", {}, root, "P --pdeathsig KILL --reuid 65534 --regid 65534 --clear-groups --"],
    [
      "root drops to the ids that were asked for",
      { user: { kind: "own", uid: 5, gid: 6, groups: [7, 8] } },
      root,
      "P --pdeathsig KILL --reuid 5 --regid 6 --groups 7,8 --",
    ],
    ["root stays root where that is asked for", { user: { kind: "root" } }, root, ""],
    [
      "root's fake root is somebody else outside",
      { user: { kind: "fake-root", uid: 9, gid: 9 } },
      root,
      "P --pdeathsig KILL --reuid 9 --regid 9 --clear-groups -- U --user --map-user=0 --map-group=0 --",
    ],
    [
      "a fake root with fewer capabilities",
      { user: { kind: "fake-root", boundingSet: "-all,+kill" } },
      ann,
      "U --user --map-user=0 --map-group=0 -- P --pdeathsig KILL --bounding-set=-all,+kill --inh-caps=-all --",
    ],
    ["the user is himself", {}, ann, "U --user --map-user=1000 --map-group=100 --"],
    ["the user looks like somebody else", { user: { kind: "own", uid: 5, gid: 6 } }, ann, "U --user --map-user=5 --map-group=6 --"],
    ["the user's fake root is the user", { user: { kind: "fake-root", uid: 9 } }, ann, "U --user --map-user=0 --map-group=0 --"],
    ["rootless root rules our own namespaces", { user: { kind: "root" } }, ann, ""],
    [
      "no new privileges come last",
      { noNewPrivileges: true },
      ann,
      "U --user --map-user=1000 --map-group=100 -- P --pdeathsig KILL --no-new-privs --",
    ],
    [
      "no new privileges with the change of ids",
      { noNewPrivileges: true },
      root,
      "P --pdeathsig KILL --reuid 65534 --regid 65534 --clear-groups --no-new-privs --",
    ],
    [
      "terminal first, then /proc, while we still may",
      { terminal: true, procTarget: "/proc", user: { kind: "root" } },
      ann,
      "S --ctty -- U --mount --mount-proc=/proc --",
    ],
  ])("%s", (_, options, who, expected) => {
    expect(chain(options, who)).toBe(expected);
  });

  test.each([[-1], [0xffff_ffff], [1.5], [Number.NaN]])("id %d is refused: to the kernel it would mean something else", (uid) => {
    expect(() => chain({ user: { kind: "own", uid } }, root)).toThrow(RangeError);
    expect(() => chain({ user: { kind: "own", gid: uid } }, ann)).toThrow(RangeError);
    expect(() => chain({ user: { kind: "own", groups: [uid] } }, root)).toThrow(RangeError);
  });
});
