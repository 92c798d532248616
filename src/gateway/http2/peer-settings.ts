/** What the other side says of itself (RFC 9113 6.5.2), and whether it may. */
import { errorCodes, frameBytes, maxWindow, settings } from "./codes.ts";

export interface PeerSettings {
  maxConcurrentStreams?: number;
  initialWindowSize?: number;
  maxFrameSize?: number;
}

/** A number is the code of a connection error. Settings that we do not know mean nothing; the size of its table neither: we put nothing in. */
export function readSettings(payload: Buffer, from: "server" | "client"): PeerSettings | number {
  if (payload.length % 6 !== 0) return errorCodes.frameSize;
  const read: PeerSettings = {};
  for (let at = 0; at < payload.length; at += 6) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case settings.enablePush:
        if (value > 1 || (from === "server" && value === 1)) return errorCodes.protocol;
        break;
      case settings.maxConcurrentStreams:
        read.maxConcurrentStreams = value;
        break;
      case settings.initialWindowSize:
        if (value > maxWindow) return errorCodes.flowControl;
        read.initialWindowSize = value;
        break;
      case settings.maxFrameSize:
        if (value < frameBytes || value > 0xff_ffff) return errorCodes.protocol;
        read.maxFrameSize = value;
        break;
    }
  }
  return read;
}
