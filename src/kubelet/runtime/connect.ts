/** A TCP connection from this machine's own network. */
import { connect } from "node:net";
import type { Connect } from "./runtime.ts";

const defaultTimeoutMs = 10_000;

export const connectFromHost: Connect = ({ host, port, timeoutMs = defaultTimeoutMs }) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const timer = setTimeout(
      () => socket.destroy(Object.assign(new Error(`connect ETIMEDOUT ${host}:${port}`), { code: "ETIMEDOUT" })),
      timeoutMs,
    );
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
