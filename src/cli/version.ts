/** The program's version; a test holds it to package.json. */
export const version = "0.1.0";

/** The release of Kubernetes whose API is served. */
export const kubernetesVersion = "1.36.0";
