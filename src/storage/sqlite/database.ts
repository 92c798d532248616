/**
 * The file: one row per key and the revision counter, in SQLite with a write-ahead log. A commit returns after the log
 * is on the disk (`synchronous=FULL`). Runs in the storage worker, since every call blocks.
 *
 * Rows are found by the revision that created their key, which no other key has and the heads know: new rows go to the
 * end of the one tree that there is, so a commit of many creates writes a few full pages, where a tree ordered by name
 * would have a page written for each. Nothing here looks a key up by its name.
 *
 * The lock on the data directory is SQLite's own exclusive lock, which the kernel drops with the process: what a dead
 * process leaves behind locks nobody out, and a number that is in use again as a pid means nothing. The `pid` file only
 * tells people whom to ask.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { errnoCode, errorMessage, FairleadError } from "../../lib/errors.ts";
import { firstRevision } from "../backend.ts";
import type { Row } from "./protocol.ts";

/** Raised with every change of the tables below. */
const schemaVersion = 2;
/** "FLRD": marks the file as ours (SQLite's `application_id`). */
const applicationId = 0x464c5244;
const pageSize = 4096;

const objects = `
  CREATE TABLE objects (
    create_revision INTEGER PRIMARY KEY NOT NULL,
    revision INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL
  ) STRICT;
`;
const schema = `
  ${objects}
  CREATE TABLE counter (revision INTEGER NOT NULL) STRICT;
  INSERT INTO counter VALUES (${firstRevision});
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`;
/** From version 1, whose rows were found by key, on. */
const fromVersion1 = `
  ALTER TABLE objects RENAME TO objects_1;
  ${objects}
  INSERT INTO objects (create_revision, revision, key, value) SELECT create_revision, revision, key, value FROM objects_1;
  DROP TABLE objects_1;
  PRAGMA user_version = ${schemaVersion};
`;

/** Result codes of SQLite (sqlite3.h). */
const sqliteBusy = 5;
const sqliteNotADatabase = 26;

export interface DatabaseOptions {
  /** Made when absent, for its owner alone. */
  readonly directory: string;
  /** Writes that would make the file larger are refused. */
  readonly maxBytes?: number | undefined;
}

export class Database {
  readonly #db: DatabaseSync;
  readonly #pidFile: string;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #count: StatementSync;

  /** Throws FL_STORAGE, FL_STORAGE_LOCKED or FL_STORAGE_SCHEMA. */
  constructor(options: DatabaseOptions) {
    const path = prepareFiles(options.directory);
    this.#pidFile = join(options.directory, "pid");
    this.#db = openLocked(path, this.#pidFile);
    try {
      migrate(this.#db, path);
      configure(this.#db, options.maxBytes);
      writeFileSync(this.#pidFile, `${process.pid}\n`, { mode: 0o600 });
      this.#put = this.#db.prepare(
        `INSERT INTO objects (create_revision, revision, key, value) VALUES (?, ?, ?, ?)
         ON CONFLICT (create_revision) DO UPDATE SET value = excluded.value, revision = excluded.revision`,
      );
      this.#remove = this.#db.prepare("DELETE FROM objects WHERE create_revision = ?");
      this.#count = this.#db.prepare("UPDATE counter SET revision = ?");
    } catch (error) {
      this.#db.close();
      throw readable(error, path);
    }
  }

  get revision(): number {
    return (this.#db.prepare("SELECT revision FROM counter").get() as { revision: number }).revision;
  }

  *rows(): Generator<Row> {
    const rows = this.#db.prepare("SELECT key, value, create_revision AS createRevision, revision FROM objects").iterate();
    for (const row of rows) yield row as unknown as Row;
  }

  /** All rows or, when it throws, none. The rows come in the order of their revisions. */
  commit(rows: readonly Row[]): void {
    this.#db.exec("BEGIN");
    try {
      for (const row of rows) {
        if (row.value === null) this.#remove.run(row.createRevision);
        else this.#put.run(row.createRevision, row.revision, row.key, row.value);
      }
      this.#count.run((rows.at(-1) as Row).revision);
      this.#db.exec("COMMIT");
    } catch (error) {
      // SQLite has rolled back by itself after some errors (full, I/O), and not after others.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  get isEmpty(): boolean {
    return this.#db.prepare("SELECT 1 FROM objects LIMIT 1").get() === undefined;
  }

  /** Everything that is there for these rows, in one transaction. */
  replaceAll(revision: number, rows: readonly Row[]): void {
    this.#db.exec("BEGIN; DELETE FROM objects");
    try {
      const insert = this.#db.prepare("INSERT INTO objects (create_revision, revision, key, value) VALUES (?, ?, ?, ?)");
      for (const row of rows) insert.run(row.createRevision, row.revision, row.key, row.value);
      this.#count.run(revision);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw new FairleadError("FL_STORAGE", `nothing was restored: ${errorMessage(error)}`, { cause: error });
    }
  }

  /** Moves the log into the file, so the log starts over. */
  checkpoint(): void {
    this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }

  /** Checkpoints, and gives the lock back. */
  close(): void {
    rmSync(this.#pidFile, { force: true });
    this.#db.close();
  }
}

/**
 * The path of the file, which then exists. An existing file must not be opened and closed here: that would drop the
 * locks which another `Database` of this process holds on it (POSIX record locks belong to the process).
 */
function prepareFiles(directory: string): string {
  const path = join(directory, "store.db");
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (existsSync(path)) chmodSync(path, 0o600);
    else writeFileSync(path, "", { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (errnoCode(error) !== "EEXIST")
      throw new FairleadError("FL_STORAGE", `cannot use ${path}: ${errorMessage(error)}`, { cause: error });
  }
  return path;
}

function openLocked(path: string, pidFile: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 0, allowExtension: false });
    // In this mode the lock of the first transaction is kept until the file is closed.
    db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
    return db;
  } catch (error) {
    db?.close();
    if ((error as { errcode?: number }).errcode !== sqliteBusy) throw readable(error, path);
    throw new FairleadError("FL_STORAGE_LOCKED", `another process uses ${path}${holder(pidFile)}`, {
      cause: error,
      hint: "Stop the other cluster first, or give this one its own --name or --data-dir.",
    });
  }
}

function holder(pidFile: string): string {
  try {
    return ` (pid ${Number.parseInt(readFileSync(pidFile, "utf8"), 10)})`;
  } catch (error) {
    // The holder is just starting or stopping: the file comes after the lock and goes before it.
    return errnoCode(error) === "ENOENT" ? "" : ` (${errorMessage(error)})`;
  }
}

function migrate(db: DatabaseSync, path: string): void {
  const pragma = (name: string) => (db.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[name];
  const version = pragma("user_version");
  const empty = db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  if (empty && version === 0) {
    db.exec(`BEGIN; ${schema} COMMIT`);
    return;
  }
  if (pragma("application_id") !== applicationId)
    throw new FairleadError("FL_STORAGE_SCHEMA", `${path} is a database of another program`, { hint: "Choose another --data-dir." });
  if (version === 1) {
    db.exec(`BEGIN; ${fromVersion1} COMMIT`);
    return;
  }
  if (version !== schemaVersion)
    throw new FairleadError(
      "FL_STORAGE_SCHEMA",
      `${path} has schema version ${version}, this Fairlead reads versions 1 to ${schemaVersion}`,
      {
        hint: "Use the Fairlead that wrote it, or another --data-dir.",
      },
    );
}

function configure(db: DatabaseSync, maxBytes: number | undefined): void {
  // Checkpoints are the worker's to time, off the path of commits; the log is cut back to 16 MiB by each.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216");
  if (maxBytes !== undefined) db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageSize))}`);
}

function readable(error: unknown, path: string): FairleadError {
  if (error instanceof FairleadError) return error;
  const damaged = (error as { errcode?: number }).errcode === sqliteNotADatabase;
  return new FairleadError("FL_STORAGE", `cannot use ${path}: ${errorMessage(error)}`, {
    cause: error,
    ...(damaged ? { hint: "The file is damaged or not a store: restore it from a copy, or choose another --data-dir." } : {}),
  });
}
