/**
 * TLS by the OpenSSL that the Node program exports, for threads that cannot hold `node:tls`. Sessions work on memory: whoever has the
 * connection feeds what came and sends what is to go. The memory rules of `libc.ts` hold here too; what OpenSSL gives out as an
 * address stays inside this file and `TlsSession`.
 *
 * A session's callbacks (server name, ALPN) are called inside `handshake`, in the same thread, for the session whose handshake it is.
 */
import { loadKoffi, type Koffi, type Pointer } from "./koffi.ts";

export type Openssl = ReturnType<typeof bindOpenssl>;

let loaded: Openssl | undefined;
let tried = false;

/** Undefined where there is no FFI, or the program does not export OpenSSL (one that uses the system's library may not). */
export function loadOpenssl(): Openssl | undefined {
  if (!tried) {
    tried = true;
    const koffi = process.env["FAIRLEAD_FFI"] === "off" ? undefined : loadKoffi();
    try {
      loaded = koffi === undefined ? undefined : bindOpenssl(koffi);
    } catch {
      loaded = undefined;
    }
  }
  return loaded;
}

/** A `SSL_CTX`. Belongs to who made it, until `freeContext`; sessions keep it alive. */
export interface TlsContext {
  readonly address: Pointer;
}

/** A `SSL` with its two memory BIOs. */
export interface TlsSession {
  readonly ssl: Pointer;
  readonly incoming: Pointer;
  readonly outgoing: Pointer;
}

export interface ContextOptions {
  /** PEM: the chain, its own certificate first, and the key. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** PEM: whose certificates the other side may show. */
  readonly authorities?: readonly string[];
  readonly verify: "no" | "if-shown" | "required" | "noted";
}

export interface HandshakeHooks {
  /** The context for a server name; undefined: the handshake fails. */
  readonly pickContext: (serverName: string) => TlsContext | undefined;
  /** One of what the client offers; undefined: the handshake fails. */
  readonly pickProtocol: (offered: readonly string[]) => string | undefined;
}

export type ReadResult = number | "more" | "ended" | "failed";

const ctrlMode = 33;
const ctrlChain = 89;
const ctrlSetHost = 55;
const ctrlServerNameCallback = 53;
const ctrlMinVersion = 123;
const tls12 = 0x0303;
/** Empty buffers are given back; the buffer of a write that is tried again may be another. */
const modes = 0x10 | 0x2;
/** No compression, no renegotiation, the server's order of ciphers, an end without close_notify is an end. */
const options = 0x2_0000 | 0x4000_0000 | 0x40_0000 | 0x80;
const verifyModes = { no: 0, "if-shown": 1, required: 3, noted: 1 } as const;
const [errorWantRead, errorZeroReturn] = [2, 6];
const [accepted, alertFatal, notAcknowledged] = [0, 2, 3];
const maxOffered = 1024;

function bindOpenssl(koffi: Koffi) {
  const library = koffi.load(null);
  const bind = <Arguments extends readonly unknown[], Result = number>(prototype: string) =>
    library.func(prototype) as unknown as (...values: Arguments) => Result;
  const native = {
    serverMethod: bind<[], Pointer>("void* TLS_server_method()"),
    clientMethod: bind<[], Pointer>("void* TLS_client_method()"),
    contextNew: bind<[Pointer], Pointer>("void* SSL_CTX_new(void*)"),
    contextFree: bind<[Pointer]>("void SSL_CTX_free(void*)"),
    contextCtrl: bind<[Pointer, number, number, Pointer]>("int64_t SSL_CTX_ctrl(void*, int, int64_t, void*)"),
    contextOptions: bind<[Pointer, number]>("uint64_t SSL_CTX_set_options(void*, uint64_t)"),
    contextCallback: bind<[Pointer, number, Pointer]>("int64_t SSL_CTX_callback_ctrl(void*, int, void*)"),
    contextAlpn: bind<[Pointer, Pointer, Pointer]>("void SSL_CTX_set_alpn_select_cb(void*, void*, void*)"),
    contextVerify: bind<[Pointer, number, Pointer]>("void SSL_CTX_set_verify(void*, int, void*)"),
    contextSessionId: bind<[Pointer, Uint8Array, number]>("int SSL_CTX_set_session_id_context(void*, void*, unsigned int)"),
    contextStore: bind<[Pointer], Pointer>("void* SSL_CTX_get_cert_store(void*)"),
    storeAdd: bind<[Pointer, Pointer]>("int X509_STORE_add_cert(void*, void*)"),
    contextClientCa: bind<[Pointer, Pointer]>("int SSL_CTX_add_client_CA(void*, void*)"),
    useCertificate: bind<[Pointer, Pointer]>("int SSL_CTX_use_certificate(void*, void*)"),
    useKey: bind<[Pointer, Pointer]>("int SSL_CTX_use_PrivateKey(void*, void*)"),
    memory: bind<[Uint8Array, number], Pointer>("void* BIO_new_mem_buf(void*, int)"),
    memoryMethod: bind<[], Pointer>("void* BIO_s_mem()"),
    bioNew: bind<[Pointer], Pointer>("void* BIO_new(void*)"),
    bioFree: bind<[Pointer]>("int BIO_free(void*)"),
    bioRead: bind<[Pointer, Uint8Array, number]>("int BIO_read(void*, void*, int)"),
    bioWrite: bind<[Pointer, Uint8Array, number]>("int BIO_write(void*, const void*, int)"),
    readCertificate: bind<[Pointer, null, null, null], Pointer>("void* PEM_read_bio_X509(void*, void*, void*, void*)"),
    readKey: bind<[Pointer, null, null, null], Pointer>("void* PEM_read_bio_PrivateKey(void*, void*, void*, void*)"),
    certificateFree: bind<[Pointer]>("void X509_free(void*)"),
    keyFree: bind<[Pointer]>("void EVP_PKEY_free(void*)"),
    sslNew: bind<[Pointer], Pointer>("void* SSL_new(void*)"),
    sslFree: bind<[Pointer]>("void SSL_free(void*)"),
    sslCtrl: bind<[Pointer, number, number, string]>("int64_t SSL_ctrl(void*, int, int64_t, const char*)"),
    setBio: bind<[Pointer, Pointer, Pointer]>("void SSL_set_bio(void*, void*, void*)"),
    accepts: bind<[Pointer]>("void SSL_set_accept_state(void*)"),
    connects: bind<[Pointer]>("void SSL_set_connect_state(void*)"),
    handshake: bind<[Pointer]>("int SSL_do_handshake(void*)"),
    read: bind<[Pointer, Uint8Array, number]>("int SSL_read(void*, void*, int)"),
    write: bind<[Pointer, Uint8Array, number]>("int SSL_write(void*, const void*, int)"),
    shutdown: bind<[Pointer]>("int SSL_shutdown(void*)"),
    getError: bind<[Pointer, number]>("int SSL_get_error(void*, int)"),
    serverName: bind<[Pointer, number], string | null>("const char* SSL_get_servername(void*, int)"),
    setContext: bind<[Pointer, Pointer], Pointer>("void* SSL_set_SSL_CTX(void*, void*)"),
    alpnSelected: bind<[Pointer, Uint8Array, Uint8Array]>("void SSL_get0_alpn_selected(void*, void*, void*)"),
    setAlpn: bind<[Pointer, Uint8Array, number]>("int SSL_set_alpn_protos(void*, void*, unsigned int)"),
    peerCertificate: bind<[Pointer], Pointer>("void* SSL_get1_peer_certificate(void*)"),
    encodeCertificate: bind<[Pointer, Uint8Array | null]>("int i2d_X509(void*, void*)"),
    verifyResult: bind<[Pointer]>("int64_t SSL_get_verify_result(void*)"),
    clearErrors: bind<[]>("void ERR_clear_error()"),
    lastError: bind<[], number>("uint64_t ERR_get_error()"),
    errorText: bind<[number, Uint8Array, number]>("void ERR_error_string_n(uint64_t, void*, size_t)"),
  };

  const failure = (what: string): Error => {
    const text = new Uint8Array(256);
    native.errorText(native.lastError(), text, text.byteLength);
    native.clearErrors();
    return new Error(`${what}: ${Buffer.from(text).toString("latin1", 0, Math.max(0, text.indexOf(0)))}`);
  };

  // Callbacks, registered once a thread: the hooks are those of the session whose handshake runs.
  let hooks: HandshakeHooks | undefined;
  let sessionOfHooks: Pointer = null;
  const pickContext = (): number => {
    const name = native.serverName(sessionOfHooks, 0);
    if (name === null || hooks === undefined) return notAcknowledged;
    const context = attempt(() => hooks?.pickContext(name.toLowerCase()));
    if (context === undefined) return alertFatal;
    native.setContext(sessionOfHooks, context.address);
    return accepted;
  };
  const pickProtocol = (_ssl: Pointer, out: Pointer, outLength: Pointer, offered: Pointer, length: number): number => {
    const bytes = koffi.decode(offered, "uint8_t", Math.min(length, maxOffered));
    const names = protocolNames(bytes);
    const picked = attempt(() => hooks?.pickProtocol(names.map(({ name }) => name)));
    const found = names.find(({ name }) => name === picked);
    if (found === undefined) return alertFatal;
    // It is told where in the offer the name is, which lives as long as OpenSSL wants it.
    koffi.encode(out, "uint64_t", BigInt(offered ?? 0) + BigInt(found.at));
    koffi.encode(outLength, "uint8_t", found.name.length);
    return accepted;
  };
  const registered = (prototype: string, callback: (...values: never[]) => number) =>
    koffi.register(callback, koffi.pointer(koffi.proto(prototype)));
  let callbacks: { readonly serverName: bigint; readonly alpn: bigint; readonly believe: bigint } | undefined;
  const theCallbacks = () =>
    (callbacks ??= {
      serverName: registered("int FairleadServerName(void*, void*, void*)", pickContext),
      alpn: registered("int FairleadAlpn(void*, void*, void*, void*, unsigned int, void*)", pickProtocol),
      believe: registered("int FairleadVerify(int, void*)", () => 1),
    });

  /** Each PEM block that `read` makes something of. */
  const eachOf = (pem: string, use: (certificate: Pointer, index: number) => boolean): number => {
    const bytes = Buffer.from(pem);
    const bio = native.memory(bytes, bytes.byteLength);
    let count = 0;
    try {
      for (;;) {
        const certificate = native.readCertificate(bio, null, null, null);
        if (certificate === null) return count;
        const ok = use(certificate, count++);
        native.certificateFree(certificate);
        if (!ok) throw failure("a certificate");
      }
    } finally {
      native.bioFree(bio);
      native.clearErrors();
    }
  };

  const useCertificate = (context: Pointer, { cert, key }: { readonly cert: string; readonly key: string }): void => {
    const count = eachOf(cert, (certificate, index) =>
      index === 0 ? native.useCertificate(context, certificate) === 1 : native.contextCtrl(context, ctrlChain, 1, certificate) === 1,
    );
    if (count === 0) throw new Error("no certificate in PEM");
    const bytes = Buffer.from(key);
    const bio = native.memory(bytes, bytes.byteLength);
    const parsed = native.readKey(bio, null, null, null);
    native.bioFree(bio);
    if (parsed === null) throw failure("the key");
    const used = native.useKey(context, parsed);
    native.keyFree(parsed);
    if (used !== 1) throw failure("the key");
  };

  return {
    /** Throws what OpenSSL says of a certificate or key that it cannot use. */
    newContext(role: "server" | "client", { certificate, authorities = [], verify }: ContextOptions): TlsContext {
      const address = native.contextNew(role === "server" ? native.serverMethod() : native.clientMethod());
      if (address === null) throw failure("SSL_CTX_new");
      try {
        native.contextCtrl(address, ctrlMinVersion, tls12, null);
        native.contextCtrl(address, ctrlMode, modes, null);
        native.contextOptions(address, options);
        if (certificate !== undefined) useCertificate(address, certificate);
        const store = native.contextStore(address);
        for (const pem of authorities) {
          eachOf(pem, (each) => {
            // One that is there already is refused and does no harm.
            native.storeAdd(store, each);
            native.clearErrors();
            return role === "client" || native.contextClientCa(address, each) === 1;
          });
        }
        native.contextVerify(address, verifyModes[verify], verify === "noted" ? theCallbacks().believe : null);
        if (role === "server") {
          const id = Buffer.from("fairlead");
          native.contextSessionId(address, id, id.byteLength);
          native.contextCallback(address, ctrlServerNameCallback, theCallbacks().serverName);
          native.contextAlpn(address, theCallbacks().alpn, null);
        }
        return { address };
      } catch (error) {
        native.contextFree(address);
        throw error;
      }
    },
    freeContext: ({ address }: TlsContext): void => void native.contextFree(address),

    newSession({ address }: TlsContext, role: "server" | "client"): TlsSession {
      const ssl = native.sslNew(address);
      if (ssl === null) throw failure("SSL_new");
      const [incoming, outgoing] = [native.bioNew(native.memoryMethod()), native.bioNew(native.memoryMethod())];
      native.setBio(ssl, incoming, outgoing);
      if (role === "server") native.accepts(ssl);
      else native.connects(ssl);
      return { ssl, incoming, outgoing };
    },
    /** With it its memory. Never inside one of its own callbacks. */
    freeSession: ({ ssl }: TlsSession): void => void native.sslFree(ssl),
    /** Whom a client wants to reach, and what it would speak there. */
    ask({ ssl }: TlsSession, serverName: string | undefined, protocols: readonly string[]): void {
      if (serverName?.includes("\0") === true) throw new TypeError("a name with a NUL byte");
      if (serverName !== undefined) native.sslCtrl(ssl, ctrlSetHost, 0, serverName);
      const list = Buffer.concat(protocols.map((name) => Buffer.from([name.length, ...Buffer.from(name, "latin1")])));
      native.setAlpn(ssl, list, list.byteLength);
    },

    /** What came from the other side. */
    feed: ({ incoming }: TlsSession, bytes: Uint8Array): void => void native.bioWrite(incoming, bytes, bytes.byteLength),
    /** What is to go to the other side; gives how many bytes are in `into`, 0: none. */
    drain: ({ outgoing }: TlsSession, into: Uint8Array): number => Math.max(0, native.bioRead(outgoing, into, into.byteLength)),
    handshake({ ssl }: TlsSession, own: HandshakeHooks | undefined): "done" | "more" | "failed" {
      hooks = own;
      sessionOfHooks = ssl;
      const result = native.handshake(ssl);
      hooks = undefined;
      sessionOfHooks = null;
      if (result === 1) return "done";
      const more = native.getError(ssl, result) === errorWantRead;
      if (!more) native.clearErrors();
      return more ? "more" : "failed";
    },
    /** Bytes that are in `into` now. */
    read({ ssl }: TlsSession, into: Uint8Array): ReadResult {
      const result = native.read(ssl, into, into.byteLength);
      if (result > 0) return result;
      const error = native.getError(ssl, result);
      if (error === errorWantRead) return "more";
      native.clearErrors();
      return error === errorZeroReturn ? "ended" : "failed";
    },
    /** All of it, or false: the session is broken. */
    write({ ssl }: TlsSession, bytes: Uint8Array): boolean {
      for (let at = 0; at < bytes.byteLength;) {
        const rest = at === 0 ? bytes : bytes.subarray(at);
        const result = native.write(ssl, rest, rest.byteLength);
        if (result <= 0) {
          native.clearErrors();
          return false;
        }
        at += result;
      }
      return true;
    },
    /** Says that no more will be written. */
    shutdown({ ssl }: TlsSession): void {
      native.shutdown(ssl);
      native.clearErrors();
    },

    /** Lower case; "": none. */
    serverName: ({ ssl }: TlsSession): string => native.serverName(ssl, 0)?.toLowerCase() ?? "",
    /** What ALPN has come to. */
    protocol({ ssl }: TlsSession): string | undefined {
      const [at, length] = [new Uint8Array(8), new Uint8Array(4)];
      native.alpnSelected(ssl, at, length);
      const count = Buffer.from(length.buffer).readUInt32LE(0);
      return count === 0
        ? undefined
        : Buffer.from(koffi.decode(Buffer.from(at.buffer).readBigUInt64LE(0), "uint8_t", count)).toString("latin1");
    },
    /** DER, as the other side showed it; undefined: it showed none. */
    peerCertificate({ ssl }: TlsSession): Buffer | undefined {
      const certificate = native.peerCertificate(ssl);
      if (certificate === null) return undefined;
      try {
        const der = Buffer.alloc(Math.max(0, native.encodeCertificate(certificate, null)));
        // i2d_X509 moves the address that it is given.
        const at = new Uint8Array(8);
        new DataView(at.buffer).setBigUint64(0, koffi.address(der), true);
        native.encodeCertificate(certificate, at);
        return der;
      } finally {
        native.certificateFree(certificate);
      }
    },
    /** 0: believed (X509_V_OK). */
    verifyResult: ({ ssl }: TlsSession): number => Number(native.verifyResult(ssl)),
  };
}

interface OfferedName {
  readonly name: string;
  readonly at: number;
}

/** RFC 7301 3.1: names, each after its length. */
function protocolNames(bytes: readonly number[]): readonly OfferedName[] {
  const names: OfferedName[] = [];
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] as number)) {
    const length = bytes[at] as number;
    if (at + 1 + length <= bytes.length) names.push({ name: String.fromCharCode(...bytes.slice(at + 1, at + 1 + length)), at: at + 1 });
  }
  return names;
}

/** Nothing may be thrown through C. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
