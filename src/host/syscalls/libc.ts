/**
 * The one native door: libc through FFI. Everything of this program that Node's own library cannot do goes through the
 * calls below, and nothing else loads a native library.
 *
 * Memory rules, which every call here keeps and every addition must keep:
 * - C sees an address only for the length of the call. Node does not move the bytes behind a Uint8Array, and the array is
 *   an argument, so it lives as long as the call. The exception is a structure that itself holds addresses
 *   (`message-vector.ts`): it owns all memory it points to, in one ArrayBuffer.
 * - A length that C is told is always the view's own `byteLength`, never a number from the caller; structures of a fixed
 *   size are checked before the call. So C cannot write past a view.
 * - Text ends at its first NUL in C: text with one inside is refused, lest `/safe\0/../etc` be checked whole and used cut.
 * - Every descriptor is close-on-exec and belongs to who asked for it; threads share the table, so it crosses by number,
 *   and only its owner closes it.
 *
 * Two kinds of failure: calls that set something up throw a SystemError; calls that move data or wait (`recv`, `send`,
 * `accept4`, `connect`, `shutdown`, `epoll_wait`, `recvmmsg`, `sendmmsg`) return the result or a negative errno, as the kernel does,
 * because EAGAIN is their daily bread.
 */
import * as c from "./constants.ts";
import { loadKoffi, type Koffi } from "./koffi.ts";
import { SystemError } from "./system-error.ts";

export type Libc = ReturnType<typeof bindLibc>;

let loaded: Libc | undefined;
let tried = false;

/**
 * Undefined where there is no FFI: another system than Linux on x64 or arm64, the package left out, or `FAIRLEAD_FFI=off`.
 * The library is loaded at the first call (20 ms), once a thread.
 */
export function loadLibc(): Libc | undefined {
  if (!tried) {
    tried = true;
    loaded = supported() ? tryLoad() : undefined;
  }
  return loaded;
}

function supported(): boolean {
  return process.platform === "linux" && ["x64", "arm64"].includes(process.arch) && process.env["FAIRLEAD_FFI"] !== "off";
}

export interface EndedChild {
  readonly pid: number;
  readonly status: number;
  readonly signaled: boolean;
}

function tryLoad(): Libc | undefined {
  const koffi = loadKoffi();
  return koffi === undefined ? undefined : bindLibc(koffi);
}

function text(value: string): string {
  if (value.includes("\0")) throw new TypeError("text with a NUL byte");
  return value;
}

function atLeast(view: Uint8Array, bytes: number): Uint8Array {
  if (view.byteLength < bytes) throw new RangeError(`${view.byteLength} bytes where ${bytes} are needed`);
  return view;
}

function bindLibc(koffi: Koffi) {
  const library = koffi.load(null);
  /** `null` as path is the running program with the C library in it, whichever that is. Names resolve on first use. */
  const lazily = <Arguments extends readonly unknown[]>(prototype: string) => {
    let bound: ((...values: unknown[]) => unknown) | undefined;
    return (...values: Arguments): number => Number((bound ??= library.func(prototype))(...values));
  };
  const native = {
    unshare: lazily<[number]>("int unshare(int)"),
    setns: lazily<[number, number]>("int setns(int, int)"),
    mount: lazily<[string | null, string, string | null, number, string | null]>(
      "int mount(const char*, const char*, const char*, unsigned long, const char*)",
    ),
    umount2: lazily<[string, number]>("int umount2(const char*, int)"),
    chdir: lazily<[string]>("int chdir(const char*)"),
    pivotRoot: lazily<[number, string, string]>("int64_t syscall(int64_t, const char*, const char*)"),
    mountSetattr: lazily<[number, number, string, number, Uint8Array, number]>(
      "int64_t syscall(int64_t, int, const char*, unsigned int, void*, size_t)",
    ),
    sethostname: lazily<[string, number]>("int sethostname(const char*, size_t)"),
    prctl: lazily<[number, number, number, number, number]>("int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)"),
    socket: lazily<[number, number, number]>("int socket(int, int, int)"),
    socketpair: lazily<[number, number, number, Uint8Array]>("int socketpair(int, int, int, void*)"),
    bind: lazily<[number, Uint8Array, number]>("int bind(int, void*, uint32_t)"),
    connect: lazily<[number, Uint8Array, number]>("int connect(int, void*, uint32_t)"),
    listen: lazily<[number, number]>("int listen(int, int)"),
    accept4: lazily<[number, Uint8Array | null, Uint8Array | null, number]>("int accept4(int, void*, void*, int)"),
    getsockname: lazily<[number, Uint8Array, Uint8Array]>("int getsockname(int, void*, void*)"),
    getsockopt: lazily<[number, number, number, Uint8Array, Uint8Array]>("int getsockopt(int, int, int, void*, void*)"),
    setsockopt: lazily<[number, number, number, Uint8Array, number]>("int setsockopt(int, int, int, void*, uint32_t)"),
    recv: lazily<[number, Uint8Array, number, number]>("int64_t recv(int, void*, size_t, int)"),
    send: lazily<[number, Uint8Array, number, number]>("int64_t send(int, void*, size_t, int)"),
    shutdown: lazily<[number, number]>("int shutdown(int, int)"),
    sendmsg: lazily<[number, Uint8Array, number]>("int64_t sendmsg(int, void*, int)"),
    recvmsg: lazily<[number, Uint8Array, number]>("int64_t recvmsg(int, void*, int)"),
    recvmmsg: lazily<[number, Uint8Array, number, number, null]>("int recvmmsg(int, void*, unsigned int, int, void*)"),
    sendmmsg: lazily<[number, Uint8Array, number, number]>("int sendmmsg(int, void*, unsigned int, int)"),
    pipe2: lazily<[Uint8Array, number]>("int pipe2(void*, int)"),
    eventfd: lazily<[number, number]>("int eventfd(unsigned int, int)"),
    ioctl: lazily<[number, number, Uint8Array]>("int ioctl(int, unsigned long, void*)"),
    ioctlNumber: lazily<[number, number, number]>("int ioctl(int, unsigned long, unsigned long)"),
    epoll_create1: lazily<[number]>("int epoll_create1(int)"),
    epoll_ctl: lazily<[number, number, number, Uint8Array]>("int epoll_ctl(int, int, int, void*)"),
    epoll_wait: lazily<[number, Uint8Array, number, number]>("int epoll_wait(int, void*, int, int)"),
    fsopen: lazily<[number, string, number]>("int64_t syscall(int64_t, const char*, unsigned int)"),
    fsconfig: lazily<[number, number, number, null, null, number]>("int64_t syscall(int64_t, int, unsigned int, const char*, void*, int)"),
    fsmount: lazily<[number, number, number, number]>("int64_t syscall(int64_t, int, unsigned int, unsigned int)"),
    closeRange: lazily<[number, number, number, number]>("int64_t syscall(int64_t, unsigned int, unsigned int, unsigned int)"),
    waitid: lazily<[number, number, Uint8Array, number]>("int waitid(int, uint32_t, void*, int)"),
    close: lazily<[number]>("int close(int)"),
    fcntl: lazily<[number, number, number]>("int fcntl(int, int, int)"),
    posix_spawn: lazily<[Uint8Array, string, Uint8Array, Uint8Array, Uint8Array, Uint8Array]>(
      "int posix_spawn(void*, const char*, void*, void*, void*, void*)",
    ),
    posix_spawn_file_actions_init: lazily<[Uint8Array]>("int posix_spawn_file_actions_init(void*)"),
    posix_spawn_file_actions_adddup2: lazily<[Uint8Array, number, number]>("int posix_spawn_file_actions_adddup2(void*, int, int)"),
    posix_spawn_file_actions_addchdir_np: lazily<[Uint8Array, string]>("int posix_spawn_file_actions_addchdir_np(void*, const char*)"),
    posix_spawn_file_actions_destroy: lazily<[Uint8Array]>("int posix_spawn_file_actions_destroy(void*)"),
    posix_spawnattr_init: lazily<[Uint8Array]>("int posix_spawnattr_init(void*)"),
    posix_spawnattr_setsigdefault: lazily<[Uint8Array, Uint8Array]>("int posix_spawnattr_setsigdefault(void*, void*)"),
    posix_spawnattr_setsigmask: lazily<[Uint8Array, Uint8Array]>("int posix_spawnattr_setsigmask(void*, void*)"),
    posix_spawnattr_setflags: lazily<[Uint8Array, number]>("int posix_spawnattr_setflags(void*, short)"),
  };

  const must = (result: number, syscall: string, detail?: string): number => {
    if (result < 0) throw new SystemError(syscall, koffi.errno(), detail);
    return result;
  };
  /** These say why by their result. */
  const spawned = (errno: number): void => {
    if (errno !== 0) throw new SystemError("posix_spawn", errno);
  };
  /** The result, or the negative errno; calls that a signal cut short are made again. */
  const outcome = (call: () => number): number => {
    for (;;) {
      const result = call();
      if (result >= 0) return result;
      const errno = koffi.errno();
      if (errno !== c.EINTR) return -errno;
    }
  };
  /** For a call that has failed: its negative errno, or what it gives when made again after a signal. */
  const failed = (again: () => number): number => {
    const errno = koffi.errno();
    return errno === c.EINTR ? outcome(again) : -errno;
  };
  const length = (view: Uint8Array) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, view.byteLength, true);
    return bytes;
  };
  const pair = (bytes: Uint8Array): readonly [number, number] => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return [view.getInt32(0, true), view.getInt32(4, true)];
  };
  const int = (value: number) => new Uint8Array(Int32Array.of(value).buffer);
  const [off, on] = [int(0), int(1)];
  const acceptedLength = new Uint32Array(1);
  const acceptedLengthBytes = new Uint8Array(acceptedLength.buffer);
  const accept = (fd: number, address: Uint8Array | null, flags: number): number => {
    acceptedLength[0] = address?.byteLength ?? 0;
    return native.accept4(fd, address, address === null ? null : acceptedLengthBytes, flags);
  };

  return {
    /** Bytes of one `struct epoll_event`: packed on x64 only. The events are at 0, the 64 bits of data at `dataOffset`. */
    epollEvent: process.arch === "x64" ? { bytes: 12, dataOffset: 4 } : { bytes: 16, dataOffset: 8 },

    /** The calling thread leaves what `flags` (CLONE_NEW…) names for something new. */
    unshare: (flags: number): void => void must(native.unshare(flags), "unshare"),
    /** The calling thread enters the namespace behind the descriptor, which must be of the kind `type` (CLONE_NEW…). */
    setns: (fd: number, type: number): void => void must(native.setns(fd, type), "setns"),
    mount(source: string | null, target: string, type: string | null, flags: number, data: string | null = null): void {
      const optional = (value: string | null) => (value === null ? null : text(value));
      must(native.mount(optional(source), text(target), optional(type), flags, optional(data)), "mount", target);
    },
    umount2: (target: string, flags: number): void => void must(native.umount2(text(target), flags), "umount", target),
    /** Of the calling thread alone once it has left the others' file system state (CLONE_FS). */
    chdir: (path: string): void => void must(native.chdir(text(path)), "chdir", path),
    /** The C library has no wrapper. Both paths may be `.`: the old root then lies over the new one until it is unmounted. */
    pivotRoot(newRoot: string, putOld: string): void {
      must(native.pivotRoot(process.arch === "x64" ? 155 : 41, text(newRoot), text(putOld)), "pivot_root", newRoot);
    },
    /** A new file system of the type that is mounted nowhere: it is reached through its descriptor and ends with it (Linux 5.2). */
    detachedMount(type: string): number {
      const context = must(native.fsopen(430, text(type), c.FSOPEN_CLOEXEC), "fsopen", type);
      try {
        must(native.fsconfig(431, context, c.FSCONFIG_CMD_CREATE, null, null, 0), "fsconfig", type);
        const attributes = c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV | c.MOUNT_ATTR_NOEXEC;
        return must(native.fsmount(432, context, c.FSMOUNT_CLOEXEC, attributes), "fsmount", type);
      } finally {
        native.close(context);
      }
    },
    /** Sets MOUNT_ATTR_… flags of the mount at `path` and, with AT_RECURSIVE, of all below it (Linux 5.12). */
    mountSetattr(path: string, flags: number, set: number): void {
      const attributes = new Uint8Array(32);
      new DataView(attributes.buffer).setBigUint64(0, BigInt(set), true);
      must(native.mountSetattr(442, c.AT_FDCWD, text(path), flags, attributes, attributes.byteLength), "mount_setattr", path);
    },
    sethostname: (name: string): void => void must(native.sethostname(text(name), Buffer.byteLength(name)), "sethostname", name),
    prctl: (option: number, value: number): void => void must(native.prctl(option, value, 0, 0, 0), "prctl"),

    /** Close-on-exec whatever `type` says. */
    socket: (family: number, type: number, protocol: number): number =>
      must(native.socket(family, type | c.SOCK_CLOEXEC, protocol), "socket"),
    socketpair(type: number): readonly [number, number] {
      const fds = new Uint8Array(8);
      must(native.socketpair(c.AF_UNIX, type | c.SOCK_CLOEXEC, 0, fds), "socketpair");
      return pair(fds);
    },
    /** `address`: a whole `sockaddr`; `detail` names it in the error. */
    bind: (fd: number, address: Uint8Array, detail?: string): void =>
      void must(native.bind(fd, address, address.byteLength), "bind", detail),
    /** 0, or a negative errno: `-EINPROGRESS` where the socket does not block. */
    connect: (fd: number, address: Uint8Array): number => outcome(() => native.connect(fd, address, address.byteLength)),
    listen: (fd: number, backlog: number): void => void must(native.listen(fd, backlog), "listen"),
    /** The new descriptor or a negative errno. The peer's address is left in `address`. */
    accept4: (fd: number, address: Uint8Array | null, flags: number): number => outcome(() => accept(fd, address, flags | c.SOCK_CLOEXEC)),
    /** The socket's own address. */
    getsockname(fd: number): Uint8Array {
      const address = new Uint8Array(128);
      const size = length(address);
      must(native.getsockname(fd, address, size), "getsockname");
      return address.subarray(0, readLength(size));
    },
    /** What the kernel left in `value`. */
    getsockopt(fd: number, level: number, option: number, value: Uint8Array): Uint8Array {
      const size = length(value);
      must(native.getsockopt(fd, level, option, value, size), "getsockopt");
      return value.subarray(0, readLength(size));
    },
    setsockopt: (fd: number, level: number, option: number, value: Uint8Array | number): void => {
      const bytes = typeof value !== "number" ? value : value === 0 ? off : value === 1 ? on : int(value);
      must(native.setsockopt(fd, level, option, bytes, bytes.byteLength), "setsockopt");
    },
    recv(fd: number, into: Uint8Array, flags: number): number {
      const result = native.recv(fd, into, into.byteLength, flags);
      return result >= 0 ? result : failed(() => native.recv(fd, into, into.byteLength, flags));
    },
    send(fd: number, from: Uint8Array, flags: number): number {
      const result = native.send(fd, from, from.byteLength, flags);
      return result >= 0 ? result : failed(() => native.send(fd, from, from.byteLength, flags));
    },
    /** 0, or a negative errno: a connection that is gone already has nothing to end. */
    shutdown: (fd: number, how: number): number => outcome(() => native.shutdown(fd, how)),
    /** Bytes, or a negative errno; `header` is a `struct msghdr` of 56 bytes, as `descriptors.ts` lays it out. */
    sendmsg: (fd: number, header: Uint8Array, flags: number): number => outcome(() => native.sendmsg(fd, atLeast(header, 56), flags)),
    recvmsg: (fd: number, header: Uint8Array, flags: number): number => outcome(() => native.recvmsg(fd, atLeast(header, 56), flags)),
    /** How many messages; `headers` holds `struct mmsghdr`s of 64 bytes, as `message-vector.ts` lays them out. */
    recvmmsg: (fd: number, headers: Uint8Array, count: number, flags: number): number =>
      outcome(() => native.recvmmsg(fd, atLeast(headers, count * 64), count, flags, null)),
    sendmmsg: (fd: number, headers: Uint8Array, count: number, flags: number): number =>
      outcome(() => native.sendmmsg(fd, atLeast(headers, count * 64), count, flags)),

    /** [reading end, writing end] */
    pipe2(flags: number): readonly [number, number] {
      const fds = new Uint8Array(8);
      must(native.pipe2(fds, flags | c.O_CLOEXEC), "pipe2");
      return pair(fds);
    },
    eventfd: (initial: number, flags: number): number => must(native.eventfd(initial, flags | c.O_CLOEXEC), "eventfd"),
    /** For requests whose argument is a structure no larger than `argument`; the caller knows its request. */
    ioctl: (fd: number, request: number, argument: Uint8Array): void => void must(native.ioctl(fd, request, argument), "ioctl"),

    /** For requests whose argument is a number and whose result is a descriptor. */
    ioctlNumber: (fd: number, request: number, argument: number): number => must(native.ioctlNumber(fd, request, argument), "ioctl"),

    epollCreate: (): number => must(native.epoll_create1(c.O_CLOEXEC), "epoll_create1"),
    epollControl(epoll: number, operation: number, fd: number, event: Uint8Array): void {
      must(native.epoll_ctl(epoll, operation, fd, atLeast(event, this.epollEvent.bytes)), "epoll_ctl");
    },
    /** How many events are in `events`, or a negative errno. `milliseconds` -1: for ever, which stops the thread's JavaScript. */
    epollWait(epoll: number, events: Uint8Array, milliseconds: number): number {
      const room = Math.floor(events.byteLength / this.epollEvent.bytes);
      return outcome(() => native.epoll_wait(epoll, events, room, milliseconds));
    },
    /** Descriptors from `first` on stay open here and are closed in every program that is started (Linux 5.11). */
    closeOnExecFrom: (first: number): void => void must(native.closeRange(436, first, 0xffff_ffff, c.CLOSE_RANGE_CLOEXEC), "close_range"),
    /**
     * A child that has ended, undefined when there is none; never waits. It is gone then, unless `flags` has WNOWAIT. `signaled`:
     * `status` is the number of the signal that ended it.
     */
    endedChild(which: { readonly pid: number } | "any", flags: number): EndedChild | undefined {
      const information = new Uint8Array(128);
      const [kind, id] = which === "any" ? [c.P_ALL, 0] : [c.P_PID, which.pid];
      const result = outcome(() => native.waitid(kind, id, information, flags | c.WEXITED | c.WNOHANG));
      // `siginfo_t` where pointers have 64 bits: code, pid, status.
      const [code, pid, status] = [8, 16, 24].map((offset) => new DataView(information.buffer).getInt32(offset, true)) as [
        number,
        number,
        number,
      ];
      return result < 0 || pid === 0 ? undefined : { pid, status, signaled: code !== c.CLD_EXITED };
    },
    /** Another number for the descriptor, 3 or above. */
    duplicate: (fd: number): number => must(native.fcntl(fd, c.F_DUPFD_CLOEXEC, 3), "fcntl"),
    /** posix_spawn(3). `actions`, `attributes`, `argv`, `envp` as `posix-spawn.ts` lays them out. 0, or the errno. */
    posixSpawn: (pid: Uint8Array, path: string, actions: Uint8Array, attributes: Uint8Array, argv: Uint8Array, envp: Uint8Array): number =>
      native.posix_spawn(atLeast(pid, 4), text(path), atLeast(actions, c.SPAWN_BYTES), atLeast(attributes, c.SPAWN_BYTES), argv, envp),
    spawnActions: {
      init: (actions: Uint8Array): void => spawned(native.posix_spawn_file_actions_init(atLeast(actions, c.SPAWN_BYTES))),
      dup2: (actions: Uint8Array, fd: number, to: number): void =>
        spawned(native.posix_spawn_file_actions_adddup2(atLeast(actions, c.SPAWN_BYTES), fd, to)),
      chdir: (actions: Uint8Array, path: string): void =>
        spawned(native.posix_spawn_file_actions_addchdir_np(atLeast(actions, c.SPAWN_BYTES), text(path))),
      destroy: (actions: Uint8Array): void => spawned(native.posix_spawn_file_actions_destroy(atLeast(actions, c.SPAWN_BYTES))),
    },
    /** All signals at their defaults and none blocked; `session`: the program leads one of its own. No `destroy`: it holds nothing. */
    spawnAttributes(attributes: Uint8Array, session: boolean): void {
      const [all, none] = [new Uint8Array(128).fill(255), new Uint8Array(128)];
      const flags = c.POSIX_SPAWN_SETSIGDEF | c.POSIX_SPAWN_SETSIGMASK | (session ? c.POSIX_SPAWN_SETSID : 0);
      spawned(native.posix_spawnattr_init(atLeast(attributes, c.SPAWN_BYTES)));
      spawned(native.posix_spawnattr_setsigdefault(attributes, all));
      spawned(native.posix_spawnattr_setsigmask(attributes, none));
      spawned(native.posix_spawnattr_setflags(attributes, flags));
    },
    close: (fd: number): void => void must(native.close(fd), "close"),
    /** Where the view's bytes are: for structures that hold addresses, which must own what they point to. */
    address: (view: Uint8Array): bigint => BigInt(koffi.address(view)),
  };
}

function readLength(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
