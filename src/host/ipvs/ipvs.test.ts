import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NetlinkFormatError, readAttributes, readMessages, readString, type NetlinkMessage } from "../netlink/reader.ts";
import type { Exchange, NetlinkSocket } from "../netlink/socket.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import * as c from "./constants.ts";
import { genlAttributes, genlMessage, readDestination, readService, writeDestination, writeService } from "./messages.ts";
import { openIpvs, type IpvsCommand, type IpvsDestination, type IpvsService } from "./ipvs.ts";

function message(write: (writer: NetlinkWriter) => void): NetlinkMessage {
  const writer = new NetlinkWriter();
  genlMessage(writer, 30, 1, 0, "test");
  write(writer);
  return readMessages(writer.finish())[0] as NetlinkMessage;
}

const address = fc.oneof(fc.ipV4(), fc.constantFrom("fd00:10:96::1", "2001:db8::7"));
const port = fc.integer({ min: 1, max: 65_535 });

describe("messages", () => {
  test("a service is read as it was written", () => {
    const service: fc.Arbitrary<IpvsService> = fc
      .record({
        address,
        port,
        protocol: fc.constantFrom("TCP", "UDP", "SCTP"),
        scheduler: fc.constantFrom("rr", "mh"),
        seconds: fc.option(port),
        hash: fc.boolean(),
      })
      .map(({ seconds, hash, ...rest }) => ({
        ...rest,
        ...(seconds === null ? {} : { persistenceSeconds: seconds }),
        ...(hash ? { hashPort: true } : {}),
      }));
    fc.assert(
      fc.property(service, (one) => {
        const read = readService(message((writer) => void writer.nest(c.IPVS_CMD_ATTR_SERVICE, (inner) => void writeService(inner, one))));
        expect(read).toEqual(one);
      }),
    );
  });

  test("a destination too", () => {
    fc.assert(
      fc.property(address, port, fc.nat(100), (ip, number, weight) => {
        const one: IpvsDestination = { ip, port: number, weight };
        const read = readDestination(
          message((writer) => void writer.nest(c.IPVS_CMD_ATTR_DEST, (inner) => void writeDestination(inner, one))),
          4,
        );
        expect(read).toEqual({ ...one, connections: 0 });
      }),
    );
  });

  test("whatever the bytes are, reading ends, and says when they are malformed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (payload) => {
        for (const read of [readService, (one: NetlinkMessage) => readDestination(one, 4)]) {
          try {
            read({ type: 30, flags: 0, sequence: 1, payload });
          } catch (error) {
            expect(error).toBeInstanceOf(NetlinkFormatError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

const familyId = 33;
const names: Readonly<Record<number, string>> = {
  1: "addService",
  2: "setService",
  3: "deleteService",
  5: "addDestination",
  6: "setDestination",
  7: "deleteDestination",
};

/** A kernel that answers each command with the errno that `refuse` says. */
function kernel(refuse: (command: string) => number): { readonly socket: NetlinkSocket; readonly seen: string[] } {
  const seen: string[] = [];
  const socket: NetlinkSocket = {
    fd: -1,
    close: () => undefined,
    exchange(batch): Exchange {
      const answers: NetlinkMessage[] = [];
      const failures: { sequence: number; errno: number; message: undefined }[] = [];
      for (const one of readMessages(batch)) {
        if (one.type === c.GENL_ID_CTRL) {
          const name = genlAttributes(one).get(c.CTRL_ATTR_FAMILY_NAME);
          expect(name === undefined ? "" : readString(name)).toBe("IPVS");
          answers.push(message((writer) => void writer.attributeU16(c.CTRL_ATTR_FAMILY_ID, familyId)));
          continue;
        }
        expect(one.type).toBe(familyId);
        const command = names[one.payload[0] as number] as string;
        seen.push(command);
        const errno = refuse(command);
        if (errno !== 0) failures.push({ sequence: one.sequence, errno, message: undefined });
      }
      return { acknowledged: [], failures, messages: answers, overrun: false };
    },
  };
  return { socket, seen };
}

const service: IpvsService = { address: "10.96.0.1", port: 80, protocol: "TCP", scheduler: "rr" };
const destination: IpvsDestination = { ip: "10.244.1.1", port: 8080, weight: 1 };

describe("commands", () => {
  test("what is there already is set, and what is gone already is no error", async () => {
    const [ENOENT, ESRCH, EEXIST] = [2, 3, 17];
    const { socket, seen } = kernel((command) =>
      command.startsWith("add") ? EEXIST : command === "deleteService" ? ESRCH : command === "deleteDestination" ? ENOENT : 0,
    );
    const ipvs = await openIpvs(socket);
    const commands: IpvsCommand[] = [
      { kind: "addService", service },
      { kind: "addDestination", service, destination },
      { kind: "deleteDestination", service, destination },
      { kind: "deleteService", service },
    ];
    expect(ipvs.run(commands)).toEqual(new Map());
    expect(seen).toEqual(["addService", "addDestination", "deleteDestination", "deleteService", "setService", "setDestination"]);
  });

  test("one that is refused is named by its place, and the others are carried out, in as many batches as it takes", async () => {
    const { socket, seen } = kernel((command) => (command === "setService" ? 22 : 0));
    const ipvs = await openIpvs(socket);
    const commands = Array.from({ length: 300 }, (_, i): IpvsCommand =>
      i === 200 ? { kind: "setService", service } : { kind: "addDestination", service, destination },
    );
    const failed = ipvs.run(commands);
    expect([...failed.keys()]).toEqual([200]);
    expect(failed.get(200)?.message).toContain("setService TCP 10.96.0.1 80");
    expect(seen).toHaveLength(300);
  });

  test("a service's bytes say what the kernel must know", () => {
    const parts = readAttributes(
      genlAttributes(
        message(
          (writer) =>
            void writer.nest(c.IPVS_CMD_ATTR_SERVICE, (inner) => void writeService(inner, { ...service, persistenceSeconds: 60 })),
        ),
      ).get(c.IPVS_CMD_ATTR_SERVICE) as Uint8Array,
    );
    expect([...(parts.get(c.IPVS_SVC_ATTR_PORT) ?? [])]).toEqual([0, 80]);
    expect([...(parts.get(c.IPVS_SVC_ATTR_FLAGS) ?? [])]).toEqual([1, 0, 0, 0, 255, 255, 255, 255]);
    expect([...(parts.get(c.IPVS_SVC_ATTR_NETMASK) ?? [])]).toEqual([255, 255, 255, 255]);
  });
});
