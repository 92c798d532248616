/** What `/version` tells: the Kubernetes release whose API is served, and that it is Fairlead that serves it. */

export interface ServerVersion {
  /** `v1.36.0+fairlead.0.1.0` */
  readonly git: string;
  readonly major: string;
  readonly minor: string;
}

/** The release whose types, defaults and validation the API has. */
export const defaultVersion: ServerVersion = { git: "v1.36.0+fairlead", major: "1", minor: "36" };

export function versionInfo({ git, major, minor }: ServerVersion): object {
  return {
    major,
    minor,
    gitVersion: git,
    gitCommit: "",
    gitTreeState: "",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: `node${process.versions.node}`,
    compiler: "v8",
    platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
}
